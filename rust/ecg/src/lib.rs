//! Hospital ECG XML to a chunked Zarr store, and batches out of it.
//!
//! # Design
//!
//! Bytes become a [`Recording`] (native counts, header, flags) by [`xml::Parser`]; [`resample::Resampler`] brings its [`Signal`] to the
//! store's rate and length; [`pack`] makes a chunk of a tenth of float32's size of it; [`store`] lays chunks out as a Zarr v3 array that any
//! reader of the format can open. One bad file is a [`ParseError`] and never ends a run; a [`StoreError`] does.
//!
//! Nothing here knows Python: progress is a callback, cancelling is its answer.
//!
//! # Threads
//!
//! ```text
//! convert   caller ── plan ──▶ ┌ worker: read ▶ parse ▶ resample ▶ pack ▶ shard file ▶ record part ┐ ──▶ caller joins the parts
//!             ▲                └ worker: …  (one shard each; an atomic counter is all they share)  ┘
//!             └ every 50 ms: progress out, stop in
//!
//! read      caller ── rows ──▶ ┌ pool thread: index ▶ mapped shard ▶ decode into its slot of the caller's buffer ┐ ──▶ caller
//!                              └ pool thread: …                                                                   ┘
//! ```

mod base64;
mod block_end;
pub mod convert;
pub mod cpu;
mod digits;
pub mod error;
mod extremes;
mod instructions;
pub mod lead;
mod microvolts;
pub mod pack;
pub mod recording;
pub mod resample;
pub mod source;
pub mod store;
pub mod xml;

pub use error::{PackError, ParseError, StoreError};
pub use lead::Lead;
pub use recording::{
    AcquiredAt, Dialect, LeadSet, Measurements, NUM_LEADS, QualityFlags, Recording, STORE_RATE_HZ, STORE_SAMPLES, Sex, Signal,
};
