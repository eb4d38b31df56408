//! The store: a Zarr v3 array of float32 microvolts in shards of 512 recordings, written shard by shard and read by rows.
//!
//! ```text
//! OUT/ecg.zarr/zarr.json                  group
//! OUT/ecg.zarr/signals/zarr.json          array, float32 (recordings, 12, 5000)
//! OUT/ecg.zarr/signals/c/SHARD/0/0        512 chunks one after the other, then their index and its CRC-32C
//! ```

mod chunks;
pub mod codec;
pub mod files;
pub mod layout;
pub mod memory;
pub mod reader;
pub mod shard;
mod table;
mod threads;

pub use chunks::Access;
pub use codec::{ChunkEncoder, Codec};
pub use layout::{Layout, RECORD_VALUES, SCHEMA_VERSION, SHARD_ROWS};
pub use reader::{BatchReader, COUNT_LEADS, COUNT_VALUES};
pub use shard::{SealedShard, ShardWriter};
