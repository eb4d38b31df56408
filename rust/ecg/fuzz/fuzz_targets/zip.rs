//! Zip archives: any bytes are listed, and every member listed is unpacked to its stated size or refused.
#![no_main]

use std::cell::RefCell;
use std::path::Path;

use hfrisk_ecg::source::FileBuffer;
use hfrisk_ecg::source::zip::{MemberReader, contents};
use libfuzzer_sys::fuzz_target;

/// What a member may unpack to here.
const MOST_BYTES: u64 = 1 << 16;

thread_local! {
    // Reused from input to input, as from member to member in a conversion.
    static BUFFERS: RefCell<(MemberReader, FileBuffer)> = RefCell::default();
}

fuzz_target!(|input: &[u8]| {
    let path = Path::new("/archive.zip");
    let found = contents(input, input.len() as u64, path, &mut || Ok(())).expect("bytes in memory can be read");
    BUFFERS.with_borrow_mut(|(reader, buffer)| {
        for entry in found.entries.iter() {
            let (stamp, place) = (entry.stamp.expect("stated"), entry.place.expect("a member"));
            let name_bytes = entry.member().map_or(0, |name| name.len());
            match reader.read(input, (stamp, place, name_bytes), MOST_BYTES, buffer) {
                Ok(()) => assert_eq!(buffer.len() as u64, stamp.num_bytes),
                Err(error) => assert!(buffer.is_empty() && !error.to_string().is_empty()),
            }
        }
    });
});
