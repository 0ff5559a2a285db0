//! A client of the workload: its own keys, what it was told of them, and what it was not.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::client::{Client, element};
use crate::model::{Pending, State};
use crate::observe;
use crate::plan::{Answer, Plan, Planner};
use crate::random::Random;
use crate::wire::Response;

/// The bucket in which all workers have keys.
pub const SHARED: &str = "kill-shared";

pub struct Worker {
    number: usize,
    /// Buckets and the prefix of this worker's keys in each; all but the first come and go.
    places: Vec<(String, String)>,
    keys: Vec<String>,
    pub state: State,
    pending: Option<Pending>,
    bodies: u64,
    /// How many requests were acknowledged.
    pub acknowledged: u64,
    /// How many changes of unanswered requests were found undone and done.
    pub undone: u64,
    pub done: u64,
}

impl Worker {
    pub fn new(number: usize) -> Self {
        let places = vec![
            (SHARED.to_owned(), format!("w{number}/")),
            (format!("kill-w{number}-a"), String::new()),
            (format!("kill-w{number}-b"), "deep/".to_owned()),
        ];
        let state = State { buckets: [(SHARED.to_owned(), Default::default())].into() };
        let keys =
            ["a".to_owned(), "a/b".to_owned(), "../ü ñ//%".to_owned(), "long/".repeat(180), "z".to_owned()];
        Self {
            number,
            places,
            keys: keys.into(),
            state,
            pending: None,
            bodies: 0,
            acknowledged: 0,
            undone: 0,
            done: 0,
        }
    }

    /// Sends requests until the server is gone.
    pub fn work(&mut self, address: SocketAddr, mut random: Random, killed: &AtomicBool) {
        let mut client = Client::new(address);
        loop {
            let mut planner = Planner {
                worker: self.number,
                state: &self.state,
                places: &self.places,
                keys: &self.keys,
                random: &mut random,
                bodies: &mut self.bodies,
            };
            let plan = planner.plan();
            let Some(response) = client.try_send(&plan.request) else {
                assert!(killed.load(Ordering::SeqCst), "no answer to {}", plan.effect.what);
                self.pending = Some(plan.effect);
                return;
            };
            self.state = acknowledged(plan, response);
            self.acknowledged += 1;
        }
    }

    /// Looks at everything of this worker, and takes over what a kill left.
    pub fn check(&mut self, address: SocketAddr) {
        let mut client = Client::new(address);
        let seen = observe::view(&mut client, &self.places, &self.keys);
        match self.state.settle(self.pending.as_ref(), &seen) {
            Ok((state, done)) => {
                if self.pending.take().is_some() {
                    self.done += u64::from(done);
                    self.undone += u64::from(!done);
                }
                self.state = state;
            }
            Err(complaint) => panic!("worker {}: {complaint}", self.number),
        }
    }
}

/// The state after an answer, which must be the right one.
fn acknowledged(plan: Plan, response: Response) -> State {
    let Pending { what, mut after, starts } = plan.effect;
    assert_eq!(response.status, plan.status, "{what}: {}", response.text());
    let text = response.text();
    match plan.answer {
        Answer::Nothing => {}
        Answer::Tagged(etag) => assert_eq!(response.header("etag"), Some(etag.as_str()), "{what}"),
        Answer::TaggedDocument(etag) => assert_eq!(element(&text, "ETag"), Some(etag), "{what}"),
        Answer::Body(expected) => {
            let seen = observe::shown(response);
            assert!(seen == expected, "{what}: expected {expected:?}, answered {seen:?}");
        }
        Answer::UploadId => {
            let id = element(&text, "UploadId").expect("an id");
            let (bucket, upload) = starts.expect("an upload");
            after.buckets.get_mut(&bucket).expect("a bucket").uploads.insert(id, upload);
        }
    }
    after
}
