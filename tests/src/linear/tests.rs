//! What the checker refuses: each law of the models is broken once.

use super::*;

/// A history of calls one after the other.
fn one_by_one<Op: Clone>(ops: &[Op]) -> Vec<Call<Op>> {
    let history = History::default();
    for op in ops {
        history.record(0, || (), |()| Some(op.clone()));
    }
    history.into_calls()
}

/// A history of calls all at the same time.
fn at_once<Op: Clone>(ops: &[Op]) -> Vec<Call<Op>> {
    let history = History::default();
    for (actor, op) in ops.iter().enumerate() {
        history.add(actor, (0, 1), op.clone());
    }
    history.into_calls()
}

#[track_caller]
fn refuses<M: Model>(model: M, wrong: &[&[M::Op]]) {
    for ops in wrong {
        let refused = check(&model, &one_by_one(ops)).expect_err(&format!("{ops:?}"));
        assert!(refused.to_string().starts_with("no order"), "{refused}");
    }
}

#[test]
fn the_checker_refuses_what_channels_must_not_do() {
    use ChannelOp::*;
    let one = |capacity| Channel {
        capacity,
        senders: 1,
        receivers: 1,
    };
    refuses(
        one(Some(2)),
        &[
            &[Sent(1), Sent(2), Received(2)],
            &[Sent(1), Received(1), Received(1)],
            &[Received(1)],
            &[Sent(1), Empty],
            &[Sent(1), Full],
            &[Sent(1), Sent(2), Sent(3)],
            &[Closed, Sent(1)],
            &[Sent(1), Closed, ReceiveCut],
            &[Sent(1), SenderGone, ReceiveCut],
            &[SendCut],
            &[Sent(1), ReceiverGone, Received(1)],
            &[Closed, Empty],
            &[ReceiverGone, Full],
        ],
    );
    refuses(one(None), &[&[Sent(1), Full]]);
    refuses(
        one(Some(0)),
        &[&[Sent(1), Received(1)], &[Received(1), Sent(1)]],
    );
    check(&one(Some(0)), &at_once(&[Sent(1), Received(1)])).unwrap();
    check(&one(Some(0)), &at_once(&[Sent(1), Received(2)])).unwrap_err();
    check(
        &one(Some(0)),
        &at_once(&[Closed, Sent(1), Received(1), SendCut]),
    )
    .unwrap();
}

#[test]
fn the_checker_refuses_what_locks_must_not_do() {
    use LockOp::*;
    refuses(
        Lock,
        &[
            &[Asks, Write, Asks, Write],
            &[Asks, Write, Asks, Read],
            &[Asks, Read, Asks, Write],
            &[Read],
            &[WriteRefused],
            &[Asks, Read, ReadRefused],
            &[Asks, Write, WriteDone, ReadRefused],
        ],
    );
    check(
        &Lock,
        &at_once(&[Asks, Read, ReadDone, Asks, Write, WriteDone]),
    )
    .unwrap();
    use PermitsOp::{Given, Refused, Taken};
    refuses(
        Permits(2),
        &[
            &[PermitsOp::Asks, Taken(2), PermitsOp::Asks, Taken(1)],
            &[Refused(2)],
            &[PermitsOp::Asks, Taken(1), Given(1), Refused(2)],
        ],
    );
    use ConditionOp::{All, One, TimedOut, Waits, Woken};
    refuses(
        Condition,
        &[
            &[Waits(0), Woken(0)],
            &[One, Waits(0), Woken(0)],
            &[Waits(0), Waits(1), One, Woken(1), TimedOut(0)],
            &[Waits(0), One, TimedOut(0)],
            &[Waits(0), One, One, Woken(0), Woken(0)],
            // A notified waiter that never returns is a lost wake-up.
            &[Waits(0), All],
        ],
    );
}

#[test]
fn a_call_that_never_returned_may_have_taken_place_or_not() {
    let pending = |op| Call {
        actor: 1,
        start: 0,
        end: None,
        op,
    };
    let channel = Channel {
        capacity: Some(1),
        senders: 1,
        receivers: 1,
    };
    let mut calls = one_by_one(&[ChannelOp::Empty, ChannelOp::Received(7)]);
    check(&channel, &calls).unwrap_err();
    calls.push(pending(ChannelOp::Sent(7)));
    check(&channel, &calls).unwrap();
    let mut calls = one_by_one(&[ChannelOp::Empty]);
    calls.push(pending(ChannelOp::Sent(7)));
    check(&channel, &calls).unwrap();
}

#[test]
fn too_long_a_search_is_no_pass() {
    // Receives of messages that nobody sent, after sends that all overlap: every order of them is a state.
    let mut ops: Vec<_> = (0..40).map(ChannelOp::Sent).collect();
    ops.push(ChannelOp::Received(99));
    let channel = Channel {
        capacity: None,
        senders: 1,
        receivers: 1,
    };
    let refused = check(&channel, &at_once(&ops)).unwrap_err();
    assert!(refused.to_string().starts_with("not decided"), "{refused}");
}
