//! Hospital ECG XML to a chunked Zarr store.

pub mod error;
pub mod lead;
pub mod pack;
pub mod recording;
pub mod xml;

pub use error::{PackError, ParseError, StoreError};
pub use lead::Lead;
pub use recording::{
    AcquiredAt, Dialect, LeadSet, Measurements, NUM_LEADS, QualityFlags, Recording, STORE_RATE_HZ, STORE_SAMPLES, Sex, Signal,
};
