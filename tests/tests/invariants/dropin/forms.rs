// Every form of select! that the documentation of crossbeam-channel shows, and what arms may do to handles.

use channel::{Receiver, Sender, after, bounded, never, select, select_biased, tick, unbounded};

const SOON: Duration = Duration::from_millis(2);
const LATE: Duration = Duration::from_secs(20);

#[test]
fn an_arm_may_assign_to_its_own_handle() {
    start();
    let (tx, mut rx) = bounded::<i32>(1);
    let (end_tx, mut end) = bounded::<()>(0);
    drop(end_tx);
    tx.send(1).unwrap();
    let (mut got, mut ended) = (0, 0);
    while got + ended < 2 {
        select! {
            recv(end) -> _ => { end = never(); ended += 1; }
            recv(rx) -> n => { rx = never(); got += n.unwrap(); }
        }
    }
    assert_eq!((got, ended), (1, 1));
    let mut tx = tx;
    select_biased! {
        send(tx, 2) -> sent => { tx = bounded(0).0; assert!(sent.is_err()); }
        recv(end) -> _ => unreachable!(),
        default => unreachable!(),
    }
    select! {
        recv(rx) -> _ => unreachable!(),
        send(tx, 2) -> sent => assert!(sent.is_err()),
        default(LATE) => { rx = never(); tx = bounded(0).0; }
    }
    select! {
        recv(rx) -> _ => unreachable!(),
        default => { rx = never(); }
    }
    select! {
        recv(rx) -> _ => rx = never(),
        default(SOON) => rx = never(),
    }
    drop((tx, rx, end));
}

struct Owner {
    rx: Receiver<u32>,
    more: Vec<Receiver<u32>>,
    tx: Sender<u32>,
    count: u32,
}

impl Owner {
    fn bump(&mut self) -> u32 {
        self.count += 1;
        self.count
    }

    fn step(&mut self) -> u32 {
        select! {
            recv(self.rx) -> _ => self.bump(),
            recv(self.more[0]) -> n => { self.more.remove(0); self.bump() + n.unwrap_or(0) }
            default(SOON) => { self.more.clear(); self.bump() }
        }
    }

    fn put(&mut self) -> u32 {
        let next = self.count;
        select! {
            send(self.tx, next) -> sent => { sent.unwrap(); self.bump() }
            default => self.bump(),
        }
    }

    fn put_what_is_read(&mut self) {
        select! {
            send(self.tx, self.count) -> sent => sent.unwrap(),
        }
    }
}

#[test]
fn an_arm_may_borrow_mutably_what_owns_the_handles() {
    start();
    let (tx, rx) = bounded(1);
    let mut owner = Owner { rx, more: vec![never()], tx, count: 0 };
    assert_eq!((owner.put(), owner.step()), (1, 2));
    owner.put_what_is_read();
    assert_eq!((owner.rx.recv(), owner.step()), (Ok(2), 3));
    assert!(owner.more.is_empty());
}

#[test]
fn a_temporary_handle_lives_until_the_operation_is_done() {
    start();
    let (_tx, rx) = unbounded::<i32>();
    let timeout = Some(SOON);
    select! {
        recv(rx) -> _ => unreachable!(),
        recv(timeout.map(after).unwrap_or(never())) -> due => assert!(due.is_ok()),
    }
    let none = [None::<&Receiver<i32>>];
    select! {
        recv(none[0].unwrap_or(&never())) -> _ => unreachable!(),
        recv(tick(SOON)) -> due => assert!(due.is_ok()),
    }
    // The last handles of their channels, made for this select.
    let (lonely_tx, lonely_rx) = (|| bounded::<String>(1).0, || unbounded::<i32>().1);
    select! { send(lonely_tx(), "back".to_owned()) -> sent => assert_eq!(sent.unwrap_err().0, "back") }
    select! { recv(lonely_rx()) -> got => assert!(got.is_err()) }
}

#[test]
fn handles_are_coerced_to_references() {
    start();
    let (tx, rx) = bounded(4);
    let (tx, rx) = (Arc::new(tx), Box::new(rx));
    let nested = &&*rx;
    select! { send(tx, 1) -> sent => sent.unwrap() }
    select! { send(&*tx, 2) -> sent => sent.unwrap() }
    select! { send(Arc::clone(&tx), 3) -> sent => sent.unwrap() }
    let mut got = Vec::new();
    got.push(select! { recv(rx) -> n => n.unwrap() });
    got.push(select! { recv(nested) -> n => n.unwrap() });
    got.push(select! { recv(&*rx,) -> n => n.unwrap(), default(LATE,) => 0 });
    assert_eq!(got, [1, 2, 3]);
}

#[test]
fn patterns_take_results_apart() {
    start();
    let (tx, rx) = bounded::<(i32, String)>(2);
    tx.send((1, "a".to_owned())).unwrap();
    tx.send((2, "b".to_owned())).unwrap();
    select! { recv(rx) -> ref got => assert_eq!(got.as_ref().unwrap().0, 1) }
    select! {
        recv(rx) -> mut got => {
            got = got.map(|(n, text)| (n + 1, text));
            assert_eq!(got, Ok((3, "b".to_owned())));
        },
        default() => unreachable!(),
    }
    drop(tx);
    select! { recv(rx) -> (Ok(_) | Err(_)) => {} }
    select! { recv(rx) -> _gone => {}, }
}

#[test]
fn arms_leave_what_is_around_them() {
    start();
    fn first(rx: &Receiver<i32>) -> Result<i32, channel::RecvError> {
        select! {
            recv(rx) -> n => return Ok(n? + 1),
            default => {}
        }
        Ok(0)
    }
    let (tx, rx) = unbounded();
    assert_eq!(first(&rx), Ok(0));
    tx.send(1).unwrap();
    assert_eq!(first(&rx), Ok(2));
    drop(tx);
    assert!(first(&rx).is_err());
    let mut rounds = 0;
    let n = 'outer: loop {
        rounds += 1;
        for _ in 0..2 {
            select! {
                recv(rx) -> _ => if rounds == 3 { break 'outer 5 } else { continue 'outer },
                default(LATE) => continue,
            }
        }
    };
    assert_eq!((n, rounds), (5, 3));
}

#[test]
fn arms_move_the_same_value() {
    start();
    let (tx, rx) = bounded::<String>(1);
    let text = "moved".to_owned();
    let other = select! {
        recv(rx) -> _ => text,
        send(tx, text) -> _ => String::new(),
    };
    assert_eq!(other, "");
    let (text, full) = ("kept".to_owned(), bounded::<String>(0));
    let kept = select! {
        send(full.0, text) -> _ => unreachable!(),
        default => text,
    };
    assert_eq!(kept, "kept");
    // A select in an arm, and an arm that has the type of what never returns.
    select! {
        recv(rx) -> word => select! { send(tx, word.unwrap()) -> _ => {}, default => unreachable!() },
        recv(never::<i32>()) -> _ => unreachable!(),
    }
    assert_eq!(rx.len(), 1);
}
