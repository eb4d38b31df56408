//! Shape, paths and `zarr.json` of the store.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::error::StoreError;
use crate::lead::Lead;
use crate::recording::{Dialect, NUM_LEADS, STORE_RATE_HZ, STORE_SAMPLES};
use crate::store::codec::Codec;
use crate::store::files::{TemporaryFile, failed};

/// Version of the store's schema; another number means another layout.
pub const SCHEMA_VERSION: u32 = 1;
/// Recordings in a shard.
pub const SHARD_ROWS: usize = 512;
/// Values of one record: leads x samples.
pub const RECORD_VALUES: usize = NUM_LEADS * STORE_SAMPLES;

/// Name of the Zarr group in OUT.
pub const GROUP_NAME: &str = "ecg.zarr";
const ARRAY_NAME: &str = "signals";
const OTHER_LAYOUT: &str = "open a store made by this version of hfrisk-convert, or convert again";

/// What a store's metadata says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Rows, those of rejected files included.
    pub num_rows: usize,
    /// How chunks are stored.
    pub codec: Codec,
}

impl Layout {
    /// Shards that hold the rows; a shard without a recording has no file.
    pub const fn num_shards(&self) -> usize {
        self.num_rows.div_ceil(SHARD_ROWS)
    }

    /// Rows of one shard, the last of which may be short.
    pub fn shard_rows(&self, shard: usize) -> std::ops::Range<usize> {
        shard * SHARD_ROWS..((shard + 1) * SHARD_ROWS).min(self.num_rows)
    }

    /// Write both `zarr.json` of the group at `group`; `temporary` is a folder on the same disk.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn write(&self, group: &Path, temporary: &Path) -> Result<(), StoreError> {
        let folder = json!({"zarr_format": 3, "node_type": "group", "attributes": {}});
        write_json(&folder, &group.join("zarr.json"), temporary)?;
        write_json(&self.array_json(), &group.join(ARRAY_NAME).join("zarr.json"), temporary)
    }

    /// Read the metadata of the group at `group`.
    ///
    /// # Errors
    /// When there is none, or it describes another layout.
    pub fn read(group: &Path) -> Result<Self, StoreError> {
        let path = group.join(ARRAY_NAME).join("zarr.json");
        let text = fs::read(&path).map_err(|source| failed("cannot read", &path, source))?;
        let other = |problem: &str| StoreError::Layout { path: path.clone(), problem: problem.to_owned(), hint: OTHER_LAYOUT };
        let found: Value = serde_json::from_slice(&text).map_err(|_| other("is not JSON"))?;
        match found.pointer("/attributes/schema").and_then(Value::as_u64) {
            Some(schema) if schema == u64::from(SCHEMA_VERSION) => {}
            Some(schema) => return Err(other(&format!("has schema {schema}, expected {SCHEMA_VERSION}"))),
            None => return Err(other("was not written by hfrisk-convert")),
        }
        let num_rows = found.pointer("/shape/0").and_then(Value::as_u64).ok_or_else(|| other("states no shape"))? as usize;
        // Attributes may grow; what decides about bytes must be exactly ours.
        let same = |codec: &Codec| {
            let expected = Self { num_rows, codec: *codec }.array_json();
            ["zarr_format", "node_type", "shape", "data_type", "chunk_grid", "chunk_key_encoding", "fill_value", "codecs"]
                .into_iter()
                .all(|key| expected[key] == found[key])
        };
        let codec = Codec::ALL.into_iter().find(same).ok_or_else(|| other("describes another layout"))?;
        Ok(Self { num_rows, codec })
    }

    fn array_json(&self) -> Value {
        let little_endian = json!({"name": "bytes", "configuration": {"endian": "little"}});
        let crc = json!({"name": "crc32c"});
        let codecs = match self.codec {
            Codec::EcgPack => json!([{"name": "hfrisk.ecgpack", "configuration": {"version": 1}}]),
            Codec::Zstd => json!([little_endian, {"name": "zstd", "configuration": {"level": 3, "checksum": true}}]),
            Codec::None => json!([little_endian, crc]),
        };
        let leads: Vec<&str> = Lead::ALL.iter().map(|lead| lead.name()).collect();
        json!({
            "zarr_format": 3,
            "node_type": "array",
            "shape": [self.num_rows, NUM_LEADS, STORE_SAMPLES],
            "data_type": "float32",
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [SHARD_ROWS, NUM_LEADS, STORE_SAMPLES]}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": "NaN",
            "codecs": [{
                "name": "sharding_indexed",
                "configuration": {
                    "chunk_shape": [1, NUM_LEADS, STORE_SAMPLES],
                    "codecs": codecs,
                    "index_codecs": [little_endian, crc],
                    "index_location": "end",
                },
            }],
            "dimension_names": ["recording", "lead", "sample"],
            "attributes": {
                "schema": SCHEMA_VERSION,
                "units": "µV",
                "sampling_rate_hz": STORE_RATE_HZ,
                "leads": leads,
                "source_dialects": Dialect::ALL.map(Dialect::name),
                "created_by": concat!("hfrisk ", env!("CARGO_PKG_VERSION")),
                "fill_rows": "a row without a recording reads as NaN; records.parquet lists the rows that have one",
            },
        })
    }
}

/// The Zarr group of an output folder.
pub fn group_path(out: &Path) -> PathBuf {
    out.join(GROUP_NAME)
}

/// The file of one shard.
pub fn shard_path(group: &Path, shard: usize) -> PathBuf {
    group.join(ARRAY_NAME).join("c").join(shard.to_string()).join("0").join("0")
}

/// Name of a shard's file in OUT, with `/` on every system.
pub(crate) fn shard_name(shard: usize) -> String {
    format!("{GROUP_NAME}/{ARRAY_NAME}/c/{shard}/0/0")
}

fn write_json(value: &Value, target: &Path, temporary: &Path) -> Result<(), StoreError> {
    let mut file = TemporaryFile::create(temporary.join("zarr.json"))?;
    writeln!(file, "{value:#}").map_err(|source| failed("cannot write", target, source))?;
    file.commit(target)
}
