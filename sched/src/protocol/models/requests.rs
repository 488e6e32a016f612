//! The starter's queue: every request is served once, and the server never sleeps while there is one.

use loom::{sync::Arc, thread};

use super::explore;
use crate::protocol::requests::Requests;

#[test]
fn every_request_is_served_once_although_the_server_sleeps_in_between() {
    explore(Some(4), || {
        let requests = Arc::new(Requests::new());
        let requesters = [1, 2].map(|number| {
            let requests = requests.clone();
            thread::spawn(move || requests.push(number))
        });
        // A request that is lost leaves the server asleep forever, which loom reports.
        let mut served = [requests.next(), requests.next()];
        served.sort_unstable();
        assert_eq!(served, [1, 2]);
        for requester in requesters {
            requester.join().unwrap();
        }
    });
}

#[test]
fn requests_of_one_requester_keep_their_order() {
    explore(None, || {
        let requests = Arc::new(Requests::new());
        let requester = thread::spawn({
            let requests = requests.clone();
            move || {
                requests.push(1);
                requests.push(2);
            }
        });
        assert_eq!([requests.next(), requests.next()], [1, 2]);
        requester.join().unwrap();
    });
}
