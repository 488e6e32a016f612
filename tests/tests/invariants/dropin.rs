//! The same programs, once with the originals and once with ours: what differs are the imports.
#![allow(unused_imports, clippy::into_iter_on_ref, clippy::useless_vec)]

/// The programs, with what is in scope where this stands.
macro_rules! programs {
    () => {
        mod locks {
            use super::*;
            include!("dropin/locks.rs");
        }
        mod once {
            use super::*;
            include!("dropin/once.rs");
        }
        mod mpsc {
            use super::*;
            include!("dropin/mpsc.rs");
        }
        mod threads {
            use super::*;
            include!("dropin/threads.rs");
        }
        mod locals {
            use super::*;
            include!("dropin/locals.rs");
        }
        mod channels {
            use super::*;
            include!("dropin/channels.rs");
        }
        mod forms {
            use super::*;
            include!("dropin/forms.rs");
        }
        mod sockets {
            use super::*;
            include!("dropin/net.rs");
        }
    };
}

mod with_std {
    use std::{net, os::unix::net as unix_net, sync, sync::Arc, thread, time::Duration};

    use crossbeam_channel as channel;

    fn start() {}

    macro_rules! local {
        ($($what:tt)*) => { std::thread_local! { $($what)* } };
    }

    programs!();
}

mod with_goroutines {
    use std::time::Duration;

    use goroutines::{
        chan as channel,
        net::{self, unix as unix_net},
        sync,
        sync::Arc,
        thread,
    };

    fn start() {
        goroutines_tests::start(2);
    }

    macro_rules! local {
        ($($what:tt)*) => { goroutines::goroutine_local! { $($what)* } };
    }

    programs!();
}
