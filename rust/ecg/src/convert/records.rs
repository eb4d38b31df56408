//! The tables: one row for every recording (`records`) and for every file that is none (`rejected`).

use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Float32Builder, Float64Builder, Int32Builder, Int64Builder, ListBuilder, StringBuilder,
    TimestampMillisecondBuilder, UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use parquet::file::metadata::KeyValue;

use crate::convert::parquet_file::{Packing, TableWriter, broken};
use crate::error::{ParseError, StoreError};
use crate::recording::{AcquiredAt, Measurements, QualityFlags, Recording, Sex};
use crate::source::Entry;
use crate::store::files::{WrittenFile, remove_file};

type ReadMeasurement = fn(&Measurements) -> Option<i32>;

/// Columns of the machine's measurements, and how to read each.
const MEASUREMENTS: [(&str, ReadMeasurement); 9] = [
    ("ventricular_rate_bpm", |m| m.ventricular_rate_bpm),
    ("atrial_rate_bpm", |m| m.atrial_rate_bpm),
    ("pr_interval_ms", |m| m.pr_interval_ms),
    ("qrs_duration_ms", |m| m.qrs_duration_ms),
    ("qt_interval_ms", |m| m.qt_interval_ms),
    ("qtc_interval_ms", |m| m.qtc_interval_ms),
    ("p_axis_deg", |m| m.p_axis_deg),
    ("r_axis_deg", |m| m.r_axis_deg),
    ("t_axis_deg", |m| m.t_axis_deg),
];

/// Every measurement with its name.
pub fn measurements(found: &Measurements) -> impl Iterator<Item = (&'static str, Option<i32>)> {
    MEASUREMENTS.iter().map(|(name, read)| (*name, read(found)))
}

/// The recordings of one shard.
#[derive(Default)]
pub(crate) struct Records {
    row: Int64Builder,
    ecg_file: StringBuilder,
    source: StringBuilder,
    dialect: StringBuilder,
    acquired_at: TimestampMillisecondBuilder,
    age_years: Float32Builder,
    sex: StringBuilder,
    device: StringBuilder,
    sampling_rate_hz: Float64Builder,
    num_samples: Int32Builder,
    num_leads_stored: Int32Builder,
    lsb_uv: Float32Builder,
    payload_hash: UInt64Builder,
    edited: [Int32Builder; MEASUREMENTS.len()],
    original: [Int32Builder; MEASUREMENTS.len()],
    flags: Vec<BooleanBuilder>,
    statements: Option<ListBuilder<StringBuilder>>,
}

impl Records {
    pub(crate) fn new(keep_statements: bool) -> Self {
        Self {
            flags: QualityFlags::ALL.iter().map(|_| BooleanBuilder::new()).collect(),
            statements: keep_statements.then(|| ListBuilder::new(StringBuilder::new())),
            ..Self::default()
        }
    }

    /// Add a recording; `flags` are its own and those of resampling.
    pub(crate) fn push(&mut self, row: usize, source: &Entry<'_>, recording: &Recording, flags: QualityFlags) {
        let signal = &recording.signal;
        self.row.append_value(row as i64);
        self.ecg_file.append_value(source.ecg_file());
        self.source.append_value(source.to_string());
        self.dialect.append_value(recording.dialect.name());
        self.acquired_at.append_option(recording.acquired_at.map(milliseconds));
        self.age_years.append_option(recording.age_years);
        self.sex.append_option(recording.sex.map(Sex::name));
        self.device.append_option(recording.device.as_deref());
        self.sampling_rate_hz.append_value(signal.sampling_rate_hz);
        self.num_samples.append_value(signal.num_samples as i32);
        self.num_leads_stored.append_value(i32::from(recording.num_leads_stored));
        self.lsb_uv.append_value(signal.lsb_uv[0]);
        self.payload_hash.append_value(recording.payload_hash);
        for (index, (_, read)) in MEASUREMENTS.iter().enumerate() {
            self.edited[index].append_option(read(&recording.measurements));
            self.original[index].append_option(read(&recording.original_measurements));
        }
        for (column, (flag, _)) in self.flags.iter_mut().zip(QualityFlags::ALL) {
            column.append_value(flags.contains(*flag));
        }
        if let Some(statements) = &mut self.statements {
            for statement in &recording.statements {
                statements.values().append_value(statement);
            }
            statements.append(true);
        }
    }

    /// Write the table with some notes and begin an empty one.
    pub(crate) fn write(&mut self, target: &Path, temporary: &Path, notes: Vec<KeyValue>) -> Result<WrittenFile, StoreError> {
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.row.finish()),
            Arc::new(self.ecg_file.finish()),
            Arc::new(self.source.finish()),
            Arc::new(self.dialect.finish()),
            Arc::new(self.acquired_at.finish()),
            Arc::new(self.age_years.finish()),
            Arc::new(self.sex.finish()),
            Arc::new(self.device.finish()),
            Arc::new(self.sampling_rate_hz.finish()),
            Arc::new(self.num_samples.finish()),
            Arc::new(self.num_leads_stored.finish()),
            Arc::new(self.lsb_uv.finish()),
            Arc::new(self.payload_hash.finish()),
        ];
        columns.extend(self.edited.iter_mut().chain(&mut self.original).map(|column| Arc::new(column.finish()) as ArrayRef));
        columns.extend(self.flags.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef));
        columns.extend(self.statements.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef));
        let schema = records_schema(self.statements.is_some());
        let packing = if self.statements.is_some() { Packing::Small } else { Packing::Quick };
        let mut table = TableWriter::create(target.to_owned(), temporary, &schema, notes, packing)?;
        write_columns(&mut table, &schema, columns, target)?;
        table.finish()
    }
}

/// The rejections of one shard.
#[derive(Default)]
pub(crate) struct Rejected {
    source: StringBuilder,
    ecg_file: StringBuilder,
    kind: StringBuilder,
    message: StringBuilder,
    byte_offset: Int64Builder,
    num_rows: usize,
}

impl Rejected {
    pub(crate) fn push(&mut self, source: &Entry<'_>, error: &ParseError) {
        self.source.append_value(source.to_string());
        self.ecg_file.append_value(source.ecg_file());
        self.kind.append_value(error.kind());
        self.message.append_value(error.to_string());
        self.byte_offset.append_option(error.byte_offset().map(|offset| offset as i64));
        self.num_rows += 1;
    }

    /// Write the table and begin an empty one; without a rejection there is no file, nor one of an earlier attempt.
    pub(crate) fn write(&mut self, target: &Path, temporary: &Path) -> Result<Option<WrittenFile>, StoreError> {
        if std::mem::take(&mut self.num_rows) == 0 {
            remove_file(target)?;
            return Ok(None);
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.source.finish()),
            Arc::new(self.ecg_file.finish()),
            Arc::new(self.kind.finish()),
            Arc::new(self.message.finish()),
            Arc::new(self.byte_offset.finish()),
        ];
        let schema = rejected_schema();
        let mut table = TableWriter::create(target.to_owned(), temporary, &schema, Vec::new(), Packing::Small)?;
        write_columns(&mut table, &schema, columns, target)?;
        table.finish().map(Some)
    }
}

fn write_columns(table: &mut TableWriter, schema: &Arc<Schema>, columns: Vec<ArrayRef>, target: &Path) -> Result<(), StoreError> {
    let batch = RecordBatch::try_new(Arc::clone(schema), columns).map_err(|error| broken(target, error.into()))?;
    table.write(&batch)
}

pub(crate) fn records_schema(keep_statements: bool) -> Arc<Schema> {
    let mut fields = vec![
        Field::new("row", DataType::Int64, false),
        Field::new("ecg_file", DataType::Utf8, false),
        Field::new("source", DataType::Utf8, false),
        Field::new("dialect", DataType::Utf8, false),
        Field::new("acquired_at", DataType::Timestamp(TimeUnit::Millisecond, None), true),
        Field::new("age_years", DataType::Float32, true),
        Field::new("sex", DataType::Utf8, true),
        Field::new("device", DataType::Utf8, true),
        Field::new("sampling_rate_hz", DataType::Float64, false),
        Field::new("num_samples", DataType::Int32, false),
        Field::new("num_leads_stored", DataType::Int32, false),
        Field::new("lsb_uv", DataType::Float32, false),
        Field::new("payload_hash", DataType::UInt64, false),
    ];
    for prefix in ["", "original_"] {
        fields.extend(MEASUREMENTS.iter().map(|(name, _)| Field::new(format!("{prefix}{name}"), DataType::Int32, true)));
    }
    fields.extend(QualityFlags::ALL.iter().map(|(_, name)| Field::new(*name, DataType::Boolean, false)));
    if keep_statements {
        let item = Field::new_list_field(DataType::Utf8, true);
        fields.push(Field::new("statements", DataType::List(Arc::new(item)), false));
    }
    Arc::new(Schema::new(fields))
}

pub(crate) fn rejected_schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        Field::new("source", DataType::Utf8, false),
        Field::new("ecg_file", DataType::Utf8, false),
        Field::new("kind", DataType::Utf8, false),
        Field::new("message", DataType::Utf8, false),
        Field::new("byte_offset", DataType::Int64, true),
    ]))
}

/// Milliseconds since 1970 on the cart's clock (proleptic Gregorian calendar).
fn milliseconds(time: AcquiredAt) -> i64 {
    // Years that begin in March put the leap day last.
    let (year, month) = (i64::from(time.year), i64::from(time.month));
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days_before_month = (153 * month + 2) / 5;
    let days =
        year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + days_before_month + i64::from(time.day)
            - 719_469;
    let seconds = days * 86_400 + i64::from(time.hour) * 3600 + i64::from(time.minute) * 60 + i64::from(time.second);
    seconds * 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(year: i32, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> i64 {
        milliseconds(AcquiredAt { year, month, day, hour, minute, second })
    }

    #[test]
    fn times_count_from_1970() {
        assert_eq!(at(1970, 1, 1, 0, 0, 0), 0);
        assert_eq!(at(1969, 12, 31, 23, 59, 59), -1000);
        assert_eq!(at(2000, 2, 29, 12, 0, 0), 951_825_600_000);
        assert_eq!(at(2024, 3, 1, 0, 0, 1), 1_709_251_201_000);
        assert_eq!(at(1900, 3, 1, 0, 0, 0), -2_203_891_200_000);
    }
}
