//! How one record becomes the bytes of one chunk, and back.

use crate::error::PackError;
use crate::pack::{self, StoredChunk};
use crate::recording::Signal;
use crate::store::layout::RECORD_VALUES;

const ZSTD_LEVEL: i32 = 3;
const CRC_BYTES: usize = 4;

/// What a chunk's bytes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Codec {
    /// Lossless packing of the counts, see [`crate::pack`].
    #[default]
    EcgPack,
    /// The Zarr codecs `bytes` and `zstd` (level 3, with checksum).
    Zstd,
    /// The Zarr codecs `bytes` and `crc32c`.
    None,
}

impl Codec {
    /// Every codec, the default first.
    pub const ALL: [Self; 3] = [Self::EcgPack, Self::Zstd, Self::None];

    /// Name as on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EcgPack => "ecgpack",
            Self::Zstd => "zstd",
            Self::None => "none",
        }
    }

    /// Read the command line's name; `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }
}

/// Encodes record after record; buffers are reused.
pub struct ChunkEncoder {
    codec: Codec,
    packer: pack::Encoder,
    compressor: Option<zstd::bulk::Compressor<'static>>,
    microvolts: Vec<f32>,
}

impl ChunkEncoder {
    /// Make an encoder.
    ///
    /// # Errors
    /// When zstd finds no memory.
    pub fn new(codec: Codec) -> std::io::Result<Self> {
        let compressor = if codec == Codec::Zstd {
            let mut compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
            compressor.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true))?;
            Some(compressor)
        } else {
            None
        };
        let microvolts = if codec == Codec::EcgPack { Vec::new() } else { vec![0.0; RECORD_VALUES] };
        Ok(Self { codec, packer: pack::Encoder::new(), compressor, microvolts })
    }

    /// Replace `chunk` with the bytes of a signal at the store's rate and length.
    ///
    /// # Errors
    /// When zstd finds no memory.
    pub fn encode(&mut self, signal: &Signal, chunk: &mut Vec<u8>) -> std::io::Result<()> {
        chunk.clear();
        if self.codec == Codec::EcgPack {
            self.packer.encode(signal, chunk);
            return Ok(());
        }
        signal.write_microvolts(&mut self.microvolts);
        for value in &mut self.microvolts {
            *value = f32::from_bits(value.to_bits().to_le());
        }
        let bytes: &[u8] = bytemuck::cast_slice(&self.microvolts);
        if let Some(compressor) = &mut self.compressor {
            chunk.reserve(zstd::zstd_safe::compress_bound(bytes.len()));
            compressor.compress_to_buffer(bytes, chunk)?;
        } else {
            chunk.extend_from_slice(bytes);
            chunk.extend_from_slice(&crc32c::crc32c(bytes).to_le_bytes());
        }
        Ok(())
    }
}

/// Decodes chunk after chunk on one thread.
pub(crate) struct ChunkDecoder {
    codec: Codec,
    decompressor: Option<zstd::bulk::Decompressor<'static>>,
}

impl ChunkDecoder {
    pub(crate) fn new(codec: Codec) -> Self {
        // Without memory for a context every chunk is reported as not decompressible.
        let decompressor = if codec == Codec::Zstd { zstd::bulk::Decompressor::new().ok() } else { None };
        Self { codec, decompressor }
    }

    /// Write the microvolts of one record.
    pub(crate) fn microvolts(&mut self, chunk: &StoredChunk<'_>, out: &mut [f32]) -> Result<(), PackError> {
        match self.codec {
            Codec::EcgPack => return pack::decode_stored_microvolts(chunk, out),
            Codec::Zstd => {
                let bytes: &mut [u8] = bytemuck::cast_slice_mut(out);
                let expected = bytes.len();
                let decompressor = self.decompressor.as_mut().ok_or(PackError::Zstd)?;
                let found = decompressor.decompress_to_buffer(chunk.bytes, bytes).map_err(|_| PackError::Zstd)?;
                if found != expected {
                    return Err(PackError::Length { found, expected });
                }
            }
            Codec::None => {
                let bytes: &mut [u8] = bytemuck::cast_slice_mut(out);
                let expected = bytes.len() + CRC_BYTES;
                let found = chunk.bytes.len();
                let Some((values, crc)) = chunk.bytes.split_last_chunk::<CRC_BYTES>().filter(|_| found == expected) else {
                    return Err(PackError::Length { found, expected });
                };
                bytes.copy_from_slice(values);
                if crc32c::crc32c(bytes) != u32::from_le_bytes(*crc) {
                    return Err(PackError::Checksum);
                }
            }
        }
        for value in out {
            *value = f32::from_bits(u32::from_le(value.to_bits()));
        }
        Ok(())
    }

    /// Write the counts and gains of the eight independent leads.
    pub(crate) fn counts(&self, chunk: &StoredChunk<'_>, out: &mut [i16], lsb_uv: &mut [f32; 8]) -> Result<(), PackError> {
        match self.codec {
            Codec::EcgPack => pack::decode_stored_counts(chunk, out, lsb_uv),
            Codec::Zstd | Codec::None => Err(PackError::NotCounts),
        }
    }
}
