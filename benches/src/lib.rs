//! What a switch costs: the workloads that the switch report and the criterion benches share, and the report itself.
//!
//! Every number comes from the same kind of measurement, so that the rows can be compared:
//!
//! 1. The whole process is pinned to **one** CPU ([`cpu`]) before any thread exists, so every thread and every M inherits
//!    that CPU, and the goroutines run on one P. Whatever passes control to somebody else really has to switch.
//! 2. A row ([`rows`]) is a program that does `n` operations, times only those, and says how many it did. An operation is
//!    always *one way*: half of a round trip.
//! 3. The rows are interleaved ([`measure`]): each round runs each row once for a few milliseconds, in an order that a
//!    fixed seed shuffles. A slow spell of the machine hits all rows alike instead of one row only.
//! 4. The median over the rounds stands for a row, the 10th and 90th percentile for its spread ([`stats`]).
//!
//! What stacks cost is a report of its own, with scenarios instead of rows: [`stacks`]. How late goroutines run is another: [`latency`].
//!
//! What was measured becomes a [`report::Report`], and that a text ([`table`]), JSON ([`json`]) or a bar chart ([`chart`]).

pub mod chart;
pub mod cpu;
pub mod failure;
pub mod json;
pub mod latency;
pub mod machine;
pub mod measure;
pub mod output;
pub mod report;
pub mod rows;
pub mod stacks;
pub mod stats;
pub mod table;
