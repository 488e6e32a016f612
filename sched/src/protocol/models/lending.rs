//! A lent P comes back to its M or goes to another one: never to both, never to none.

use loom::{cell::UnsafeCell, sync::Arc, thread};

use super::explore;
use crate::protocol::lending::Lending;

/// A P: its content is plain memory, so that loom reports two owners.
struct P {
    lending: Lending,
    content: UnsafeCell<u32>,
}

impl P {
    fn work(&self) {
        // SAFETY: the caller owns the P; loom checks it.
        self.content.with_mut(|content| unsafe { *content += 1 });
    }
}

#[test]
fn a_lent_p_has_one_owner_afterwards() {
    explore(None, || {
        let p = Arc::new(P {
            lending: Lending::new(),
            content: UnsafeCell::new(0),
        });
        let sysmon = thread::spawn({
            let p = p.clone();
            move || {
                let retaken = p.lending.lent().is_some_and(|call| p.lending.retake(call));
                if retaken {
                    p.work();
                }
                retaken
            }
        });
        p.work();
        let call = p.lending.lend();
        let came_back = p.lending.take_back(call);
        if came_back {
            p.work();
        }
        assert_ne!(came_back, sysmon.join().unwrap());
        // SAFETY: both have finished.
        p.content.with(|content| assert_eq!(unsafe { *content }, 2));
    });
}

#[test]
fn a_look_at_an_old_call_takes_nothing() {
    explore(None, || {
        let p = Arc::new(P {
            lending: Lending::new(),
            content: UnsafeCell::new(0),
        });
        let old = p.lending.lend();
        assert!(p.lending.take_back(old));
        let sysmon = thread::spawn({
            let p = p.clone();
            move || p.lending.retake(old)
        });
        let call = p.lending.lend();
        p.content.with(|_| ());
        assert!(p.lending.take_back(call));
        assert!(!sysmon.join().unwrap());
    });
}
