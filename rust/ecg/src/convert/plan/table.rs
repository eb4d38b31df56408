//! The columns of `plan.parquet`.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt32Type, UInt64Type};
use arrow_array::{ArrayAccessor, ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field, Schema};

use crate::convert::plan::duplicates::Duplicates;
use crate::source::{self, Entries, Place, Stamp};

pub(crate) fn plan_schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        Field::new("row", DataType::Int64, true),
        Field::new("source", DataType::Utf8, false),
        Field::new("member", DataType::Utf8, true),
        Field::new("num_bytes", DataType::UInt64, true),
        Field::new("modified_ns", DataType::Int64, true),
        Field::new("offset", DataType::UInt64, true),
        Field::new("packed_bytes", DataType::UInt64, true),
        Field::new("crc32", DataType::UInt32, true),
        Field::new("raw_source", DataType::Binary, true),
        Field::new("same_as_row", DataType::Int64, true),
    ]))
}

/// The columns of some entries: with the shift from their numbers to their rows, or, of duplicates, the rows that hold the same.
pub(super) fn columns(entries: &Entries, rows: Range<usize>, place: Result<usize, &[i64]>) -> Vec<ArrayRef> {
    let own = place.ok();
    let others = place.err();
    let each = || rows.clone().map(|row| entries.get(row));
    let stamps = || each().map(|entry| entry.stamp);
    let places = || each().map(|entry| entry.place);
    let raw = each().map(|entry| (!entry.is_text()).then(|| entry.path().into_os_string().into_encoded_bytes()));
    vec![
        Arc::new(rows.clone().map(|row| own.map(|shift| (row + shift) as i64)).collect::<Int64Array>()),
        Arc::new(StringArray::from_iter_values(each().map(|entry| entry.path().to_string_lossy().into_owned()))),
        Arc::new(each().map(|entry| entry.member()).collect::<StringArray>()),
        Arc::new(stamps().map(|stamp| stamp.map(|stamp| stamp.num_bytes)).collect::<UInt64Array>()),
        Arc::new(stamps().map(|stamp| stamp.map(|stamp| stamp.modified_ns)).collect::<Int64Array>()),
        Arc::new(places().map(|place| place.map(|place| place.offset)).collect::<UInt64Array>()),
        Arc::new(places().map(|place| place.map(|place| place.packed_bytes)).collect::<UInt64Array>()),
        Arc::new(places().map(|place| place.map(|place| place.crc32)).collect::<UInt32Array>()),
        Arc::new(raw.collect::<BinaryArray>()),
        Arc::new(rows.map(|row| others.map(|others| others[row])).collect::<Int64Array>()),
    ]
}

/// Append what a batch of the table holds, duplicates apart; a table of the first version has only `source`.
pub(super) fn read_entries(batch: &RecordBatch, planned: &mut Entries, duplicates: &mut Duplicates) {
    let column = |name| batch.column_by_name(name);
    let text = |name| column(name).and_then(|found| found.as_string_opt::<i32>());
    let whole = |name| column(name).and_then(|found| found.as_primitive_opt::<UInt64Type>());
    let signed = |name| column(name).and_then(|found| found.as_primitive_opt::<Int64Type>());
    let (modified, same_as) = (signed("modified_ns"), signed("same_as_row"));
    let crcs = column("crc32").and_then(|found| found.as_primitive_opt::<UInt32Type>());
    let raw = column("raw_source").and_then(|found| found.as_binary_opt::<i32>());
    let (members, sizes, offsets, packed) = (text("member"), whole("num_bytes"), whole("offset"), whole("packed_bytes"));
    for (row, source) in text("source").into_iter().flatten().enumerate() {
        let Some(source) = source else { continue };
        let stamp = value(sizes, row).zip(value(modified, row));
        let stamp = stamp.map(|(num_bytes, modified_ns)| Stamp { num_bytes, modified_ns });
        let place = value(offsets, row).zip(value(packed, row)).zip(value(crcs, row));
        let place = place.map(|((offset, packed_bytes), crc32)| Place { offset, packed_bytes, crc32 });
        let same_as = value(same_as, row);
        duplicates.rows.extend(same_as);
        let entries = if same_as.is_some() { &mut duplicates.entries } else { &mut *planned };
        match (value(members, row), stamp, place, value(raw, row)) {
            (Some(member), Some(stamp), Some(place), None) => entries.push_member(Path::new(source), member, stamp, place),
            (_, _, _, Some(raw)) => entries.push_file(&source::path_of(raw), stamp),
            _ => entries.push_file(Path::new(source), stamp),
        }
    }
}

/// The value of `row`, when there is a column and a value.
fn value<A: ArrayAccessor>(column: Option<A>, row: usize) -> Option<A::Item> {
    column.filter(|column| column.is_valid(row)).map(|column| column.value(row))
}
