//! Memory is bounded by a small multiple of the file's size, whatever the file holds: measured by an allocator that counts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use hfrisk_ecg::Recording;
use hfrisk_ecg::xml::{ParseOptions, Parser};

/// The file's size may come back so many times in buffers: its text in UTF-8 (from UTF-16), its statements, its counts.
const MOST_TIMES: usize = 8;
/// And what does not depend on the file.
const FIXED: usize = 4 << 20;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

struct Counting;

fn grew(bytes: usize) {
    let now = NOW.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(now, Ordering::Relaxed);
}

// SAFETY: every call goes on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grew(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // Both live while the content is moved.
        grew(new_size);
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that a new parser has allocated at once while it read `file`, and how it ended.
fn peak(file: &[u8]) -> (usize, String) {
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let mut recording = Recording::default();
    let mut parser = Parser::new(ParseOptions { keep_statements: true, ..ParseOptions::default() });
    let result = parser.parse(file, &mut recording);
    let outcome = result.map_or_else(|error| error.kind(), |()| "kept".to_owned());
    (PEAK.load(Ordering::Relaxed) - before, outcome)
}

fn muse(inside: &str) -> Vec<u8> {
    format!(
        "<RestingECG><Waveform><WaveformType>Rhythm</WaveformType><SampleBase>500</SampleBase>{inside}</Waveform></RestingECG>"
    )
    .into_bytes()
}

fn muse_lead(id: &str, payload: &str) -> String {
    format!(
        "<LeadData><LeadAmplitudeUnitsPerBit>5</LeadAmplitudeUnitsPerBit><LeadAmplitudeUnits>MICROVOLTS</LeadAmplitudeUnits>\
         <LeadID>{id}</LeadID><WaveFormData>{payload}</WaveFormData></LeadData>"
    )
}

const LEADS: [&str; 12] = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"];

fn hostile_files() -> Vec<(&'static str, Vec<u8>)> {
    let leads = |payload: &str| LEADS.map(|id| muse_lead(id, payload)).concat();
    let base64 = "QUJD".repeat(50_000);
    let numbers = "1 ".repeat(100_000);
    let digits: Vec<String> = LEADS
        .iter()
        .map(|id| {
            format!(
                "<component><sequence><code code=\"MDC_ECG_LEAD_{id}\"/><value><scale value=\"1\" unit=\"uV\"/>\
                 <digits>{numbers}</digits></value></sequence></component>"
            )
        })
        .collect();
    let aecg = format!(
        "<AnnotatedECG><component><series><code code=\"RHYTHM\"/><component><sequenceSet><component><sequence>\
         <code code=\"TIME_RELATIVE\"/><value><increment value=\"2\" unit=\"ms\"/></value></sequence></component>{}\
         </sequenceSet></component></series></component></AnnotatedECG>",
        digits.concat()
    );
    let statements = format!(
        "<RestingECG><Diagnosis>{}</Diagnosis></RestingECG>",
        "<StmtText>a</StmtText></DiagnosisStatement>".repeat(50_000)
    );
    let wide: Vec<u8> =
        format!("\u{feff}<RestingECG>{}", "홍".repeat(500_000)).encode_utf16().flat_map(u16::to_le_bytes).collect();
    vec![
        ("tags that nothing closes", format!("<RestingECG>{}", "<a>".repeat(700_000)).into()),
        ("nested series", format!("<AnnotatedECG>{}", "<component><series>".repeat(100_000)).into()),
        ("leads without end", muse(&"<LeadData><LeadID>I</LeadID></LeadData>".repeat(50_000))),
        ("long payloads", muse(&leads(&base64))),
        ("payloads in CDATA", muse(&leads(&format!("<![CDATA[{base64}]]>")))),
        ("payloads cut by comments", muse(&leads(&"QUJD<!-- x -->".repeat(20_000)))),
        ("long lists", aecg.into()),
        ("statements", statements.into()),
        ("text of three bytes a character from UTF-16", wide),
        ("entities", format!("<!DOCTYPE a [{}]><RestingECG/>", "<!ENTITY a \"&a;&a;&a;\">".repeat(40_000)).into()),
    ]
}

#[test]
fn memory_is_a_small_multiple_of_the_file_whatever_it_holds() {
    for (name, file) in hostile_files() {
        let (bytes, outcome) = peak(&file);
        let most = MOST_TIMES * file.len() + FIXED;
        assert!(bytes <= most, "{name} ({outcome}): {bytes} bytes for a file of {}", file.len());
    }
    // A check that sees nothing would always pass: a long payload takes its own size at least.
    let (bytes, outcome) = peak(&muse(&LEADS.map(|id| muse_lead(id, &"QUJD".repeat(50_000))).concat()));
    assert!(outcome == "kept" && bytes > 12 * 150_000, "{outcome}, {bytes} bytes");
}
