//! `select!` and `select_biased!`.
//!
//! The arms are parsed one after the other into a normal form, and then opened from the outside in:
//!
//! ```text
//! match $receiver { ref handle => { let handle: &Receiver<_> = handle;   evaluated once, borrowed,
//!     match $sender { ref handle => { let handle: &Sender<_> = handle;   coerced; temporaries live on
//!         let chosen = random(&[receiver(handle), sender(handle)], wait);
//!         if chosen.is_none() { drop(chosen); $default } else {
//!             let chosen = chosen.unwrap();
//!             if chosen.place() == 0 { let $pattern = chosen.recv(handle); $body }
//!             else if chosen.place() == 0 + 1 { let $pattern = chosen.send(handle, $message); $body }
//!             else { no_such_case() }
//! }}}}}}
//! ```
//!
//! Each `handle` is another variable: every step of the macro has names of its own. Bodies, and the message
//! of the case that was chosen, are evaluated outside of any closure, so they may return, break, and move
//! what another arm moves as well.
//!
//! No arm runs while a borrow of the handles is alive: `chosen` has a destructor, so every path moves it away
//! before its arm. A `match` on it, or on the call itself, would keep it until after the arms, and with it the
//! borrows. So an arm may assign to its own receiver, or borrow mutably the struct that owns it.
//!
//! The compiler underlines the whole call for what stands in this file. So errors of arms come from a procedural macro,
//! `select_error`, which is given their tokens; and where a handle is coerced, its name is given the place of the user's
//! expression, by `select_placed`. Neither changes what is compiled.

/// See `chan::select`.
#[doc(hidden)]
#[macro_export]
macro_rules! __chan_select {
    ($($arms:tt)*) => { $crate::__chan_select_steps!(@arms random [] [] $($arms)*) };
}

/// See `chan::select_biased`.
#[doc(hidden)]
#[macro_export]
macro_rules! __chan_select_biased {
    ($($arms:tt)*) => { $crate::__chan_select_steps!(@arms listed [] [] $($arms)*) };
}

/// The steps. `$order` is the function that chooses, `$cases` what was parsed, `$default` the default.
#[doc(hidden)]
#[macro_export]
macro_rules! __chan_select_steps {
    // The head of an arm.
    (@arms $order:ident [] []) => {
        loop { $crate::chan::expansion::$order(&[], $crate::chan::expansion::Wait::FOREVER); }
    };
    (@arms $order:ident $cases:tt $default:tt) => {
        $crate::__chan_select_steps!(@open $order $cases [] $default)
    };
    // A second default, or no arm at all: no other arm has so little before its `=>`.
    (@arms $order:ident $cases:tt [$($default:tt)+] $word:tt => $($rest:tt)*) => {
        $crate::chan::expansion::select_error!(once $word => $($rest)*)
    };
    (@arms $order:ident $cases:tt [$($default:tt)+] $word:tt $arguments:tt => $($rest:tt)*) => {
        $crate::chan::expansion::select_error!(once $word $arguments => $($rest)*)
    };
    (@arms $order:ident $cases:tt $default:tt recv($receiver:expr $(,)?) -> $pattern:pat => $($rest:tt)+) => {
        $crate::__chan_select_steps!(
            @body $order $cases $default (recv ($receiver) ($pattern)) $($rest)+
        )
    };
    (@arms $order:ident $cases:tt $default:tt send($sender:expr, $msg:expr $(,)?) -> $pattern:pat => $($rest:tt)+) => {
        $crate::__chan_select_steps!(
            @body $order $cases $default (send ($sender, $msg) ($pattern)) $($rest)+
        )
    };
    (@arms $order:ident $cases:tt $default:tt default $(())? => $($rest:tt)+) => {
        $crate::__chan_select_steps!(
            @body $order $cases $default
            (default ($crate::chan::expansion::Wait::NOT_AT_ALL)) $($rest)+
        )
    };
    (@arms $order:ident $cases:tt $default:tt default($timeout:expr $(,)?) => $($rest:tt)+) => {
        $crate::__chan_select_steps!(
            @body $order $cases $default
            (default ($crate::chan::expansion::Wait::at_most($timeout))) $($rest)+
        )
    };
    (@arms $order:ident $cases:tt $default:tt $($rest:tt)+) => {
        $crate::chan::expansion::select_error!(arm $($rest)+)
    };

    // Its body: a block needs no comma, another expression does, unless it is the last.
    (@body $order:ident $cases:tt $default:tt $head:tt $body:block, $($rest:tt)*) => {
        $crate::__chan_select_steps!(@add $order $cases $default $head ($body) $($rest)*)
    };
    (@body $order:ident $cases:tt $default:tt $head:tt $body:block $($rest:tt)*) => {
        $crate::__chan_select_steps!(@add $order $cases $default $head ($body) $($rest)*)
    };
    (@body $order:ident $cases:tt $default:tt $head:tt $body:expr, $($rest:tt)*) => {
        $crate::__chan_select_steps!(@add $order $cases $default $head ($body) $($rest)*)
    };
    (@body $order:ident $cases:tt $default:tt $head:tt $body:expr) => {
        $crate::__chan_select_steps!(@add $order $cases $default $head ($body))
    };
    (@body $order:ident $cases:tt $default:tt $head:tt $($rest:tt)*) => {
        $crate::chan::expansion::select_error!(body $($rest)*)
    };

    // To the others.
    (@add $order:ident $cases:tt $default:tt (default $wait:tt) $body:tt $($rest:tt)*) => {
        $crate::__chan_select_steps!(@arms $order $cases [$wait $body] $($rest)*)
    };
    (@add $order:ident [$($cases:tt)*] $default:tt ($($head:tt)*) $body:tt $($rest:tt)*) => {
        $crate::__chan_select_steps!(@arms $order [$($cases)* ($($head)* $body)] $default $($rest)*)
    };

    // From the outside in.
    (@open $order:ident [(recv ($receiver:expr) $pattern:tt $body:tt) $($cases:tt)*] [$($open:tt)*] $default:tt) => {
        match $receiver {
            ref handle => {
                let handle: &$crate::chan::Receiver<_> = $crate::chan::expansion::select_placed!(handle $receiver);
                $crate::__chan_select_steps!(
                    @open $order [$($cases)*]
                    [$($open)* (receiver handle recv (handle) $pattern $body)] $default
                )
            }
        }
    };
    (@open $order:ident [(send ($sender:expr, $msg:expr) $pattern:tt $body:tt) $($cases:tt)*] [$($open:tt)*] $default:tt) => {
        match $sender {
            ref handle => {
                let handle: &$crate::chan::Sender<_> = $crate::chan::expansion::select_placed!(handle $sender);
                $crate::__chan_select_steps!(
                    @open $order [$($cases)*]
                    [$($open)* (sender handle send (handle, $msg) $pattern $body)] $default
                )
            }
        }
    };
    (@open $order:ident [] [$(($side:ident $handle:ident $($arm:tt)*))*] []) => {
        {
            let chosen = $crate::chan::expansion::$order(
                &[$($crate::chan::expansion::$side($handle)),*],
                $crate::chan::expansion::Wait::FOREVER,
            );
            let chosen = chosen.unwrap_or_else(|| $crate::chan::expansion::no_such_case());
            $crate::__chan_select_steps!(@run chosen (0usize) $(($($arm)*))*)
        }
    };
    (@open $order:ident [] [$(($side:ident $handle:ident $($arm:tt)*))*] [($wait:expr) ($body:expr)]) => {
        {
            let chosen = $crate::chan::expansion::$order(
                &[$($crate::chan::expansion::$side($handle)),*],
                $wait,
            );
            if chosen.is_none() {
                drop(chosen);
                $body
            } else {
                let chosen = chosen.unwrap();
                $crate::__chan_select_steps!(@run chosen (0usize) $(($($arm)*))*)
            }
        }
    };

    // The arm that was chosen.
    (@run $chosen:ident ($place:expr) ($complete:ident $arguments:tt ($pattern:pat) ($body:expr)) $($arms:tt)*) => {
        if $chosen.place() == $place {
            let $pattern = $chosen.$complete $arguments;
            $body
        } else {
            $crate::__chan_select_steps!(@run $chosen ($place + 1) $($arms)*)
        }
    };
    (@run $chosen:ident $place:tt) => {{
        drop($chosen);
        $crate::chan::expansion::no_such_case()
    }};
}
