//! Builds MUSE files in memory, whole or with one thing wrong. Every value of a new [`Muse`] is what a GE cart writes.

use hfrisk_ecg::Lead;

/// One `LeadData`.
#[derive(Clone, Debug)]
pub struct LeadXml {
    pub id: String,
    pub counts: Vec<i16>,
    pub gain: String,
    pub unit: String,
    pub crc32: Option<String>,
    pub stated_samples: Option<String>,
    pub sample_size: String,
    pub extra: String,
    /// In place of the encoded counts.
    pub payload: Option<String>,
}

/// One `Waveform`.
#[derive(Clone, Debug)]
pub struct WaveformXml {
    pub kind: Option<String>,
    pub sample_base: Option<String>,
    pub sample_exponent: Option<String>,
    pub leads: Vec<LeadXml>,
    /// Characters a line of base64; 0 for one unbroken line.
    pub width: usize,
    pub line_break: &'static str,
}

/// One file.
#[derive(Clone, Debug)]
pub struct Muse {
    pub prolog: String,
    /// Blocks before the waveforms.
    pub header: String,
    pub waveforms: Vec<WaveformXml>,
}

impl LeadXml {
    pub fn new(id: &str, counts: Vec<i16>) -> Self {
        let crc32 = Some(crc32fast::hash(&little_endian(&counts)).to_string());
        Self {
            id: id.into(),
            stated_samples: Some(counts.len().to_string()),
            counts,
            gain: "4.88".into(),
            unit: "MICROVOLTS".into(),
            crc32,
            sample_size: "2".into(),
            extra: String::new(),
            payload: None,
        }
    }

    /// The child elements, in the order of GE's grammar.
    pub fn children(&self, width: usize, line_break: &str) -> Vec<String> {
        let payload = self.payload.clone().unwrap_or_else(|| encode(&little_endian(&self.counts), width, line_break));
        let mut children = vec![
            element("LeadAmplitudeUnitsPerBit", &self.gain),
            element("LeadAmplitudeUnits", &self.unit),
            element("LeadHighLimit", "2147483647"),
            element("LeadID", &self.id),
            element("LeadSampleSize", &self.sample_size),
            self.extra.clone(),
            element("WaveFormData", &payload),
        ];
        children.extend(self.crc32.iter().map(|crc32| element("LeadDataCRC32", crc32)));
        children.extend(self.stated_samples.iter().map(|samples| element("LeadSampleCountTotal", samples)));
        children
    }
}

impl WaveformXml {
    /// Eight leads at 500 Hz with distinct triangular contents.
    pub fn rhythm(num_samples: usize) -> Self {
        let leads = Lead::INDEPENDENT.iter().enumerate().map(|(index, lead)| LeadXml::new(lead.name(), wave(index, num_samples)));
        Self {
            kind: Some("Rhythm".into()),
            sample_base: Some("500".into()),
            sample_exponent: Some("0".into()),
            leads: leads.collect(),
            width: 68,
            line_break: "\n",
        }
    }

    /// A median beat, which must never be seen.
    pub fn median() -> Self {
        let mut median = Self { kind: Some("Median".into()), ..Self::rhythm(600) };
        for lead in &mut median.leads {
            lead.counts.fill(7777);
        }
        median
    }

    pub fn children(&self) -> Vec<String> {
        let mut children = Vec::new();
        children.extend(self.kind.iter().map(|kind| element("WaveformType", kind)));
        children.push(element("ACFilter", "60"));
        children.extend(self.sample_base.iter().map(|base| element("SampleBase", base)));
        children.extend(self.sample_exponent.iter().map(|exponent| element("SampleExponent", exponent)));
        children.extend(self.leads.iter().map(|lead| element("LeadData", &lead.children(self.width, self.line_break).concat())));
        children
    }
}

impl Muse {
    /// A median beat and ten seconds of rhythm, as GE carts write them.
    pub fn new() -> Self {
        Self {
            prolog: "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<!DOCTYPE RestingECG SYSTEM \"restecg.dtd\">\n".into(),
            header: header("60", "YEARS", "MALE", "05-10-2021", "13:15:18"),
            waveforms: vec![WaveformXml::median(), WaveformXml::rhythm(5000)],
        }
    }

    /// The rhythm strip.
    pub fn rhythm(&mut self) -> &mut WaveformXml {
        self.waveforms.last_mut().unwrap()
    }

    pub fn to_xml(&self) -> String {
        let waveforms: String =
            self.waveforms.iter().map(|waveform| element("Waveform", &waveform.children().concat())).collect();
        format!("{}{}", self.prolog, element("RestingECG", &format!("{}{waveforms}", self.header)))
    }
}

pub fn header(age: &str, unit: &str, gender: &str, date: &str, time: &str) -> String {
    let demographics =
        [("PatientID", "00112233"), ("PatientAge", age), ("AgeUnits", unit), ("Gender", gender), ("PatientLastName", "Hong")];
    let acquisition = [("AcquisitionDevice", "MAC55"), ("AcquisitionTime", time), ("AcquisitionDate", date)];
    let block =
        |name, fields: &[(&str, &str)]| element(name, &fields.iter().map(|(name, text)| element(name, text)).collect::<String>());
    format!("{}\n{}", block("PatientDemographics", &demographics), block("TestDemographics", &acquisition))
}

pub fn element(name: &str, content: &str) -> String {
    format!("<{name}>{content}</{name}>\n")
}

/// A triangle whose period and height depend on the lead.
pub fn wave(index: usize, num_samples: usize) -> Vec<i16> {
    let period = 40 + 7 * index as i32;
    (0..num_samples as i32).map(|t| ((t % period - period / 2) * (index as i32 + 1)) as i16).collect()
}

pub fn little_endian(counts: &[i16]) -> Vec<u8> {
    counts.iter().flat_map(|count| count.to_le_bytes()).collect()
}

pub fn encode(bytes: &[u8], width: usize, line_break: &str) -> String {
    let text = base64_simd::STANDARD.encode_to_string(bytes);
    if width == 0 {
        return text;
    }
    let mut out = String::from(line_break);
    for line in text.as_bytes().chunks(width) {
        out.push_str(std::str::from_utf8(line).unwrap());
        out.push_str(line_break);
    }
    out + "         "
}

/// A file with one thing done to it.
pub fn muse(change: impl FnOnce(&mut Muse)) -> Vec<u8> {
    let mut file = Muse::new();
    change(&mut file);
    file.to_xml().into_bytes()
}

/// A file with one thing done to one lead of its rhythm.
pub fn lead(index: usize, change: impl FnOnce(&mut LeadXml)) -> Vec<u8> {
    muse(|file| change(&mut file.rhythm().leads[index]))
}

/// A file with one thing done to every lead of its rhythm.
pub fn leads(change: impl Fn(&mut LeadXml)) -> Vec<u8> {
    muse(|file| file.rhythm().leads.iter_mut().for_each(change))
}

/// A file whose text was edited.
pub fn text(change: impl FnOnce(String) -> String) -> Vec<u8> {
    change(Muse::new().to_xml()).into_bytes()
}

pub fn cut_counts(lead: &mut LeadXml, num_samples: usize) {
    let stated = lead.stated_samples.take();
    *lead = LeadXml::new(&lead.id, lead.counts[..num_samples].to_vec());
    lead.stated_samples = stated;
}

pub fn limb_leads(offset: i16) -> Vec<LeadXml> {
    let (i, ii) = (wave(0, 5000), wave(1, 5000));
    let even = |x: i16| x / 2 * 2;
    let (i, ii): (Vec<i16>, Vec<i16>) = (i.into_iter().map(even).collect(), ii.into_iter().map(even).collect());
    let derive = |f: fn(i16, i16) -> i16| i.iter().zip(&ii).map(|(&x, &y)| f(x, y) + offset).collect::<Vec<i16>>();
    vec![
        LeadXml::new("III", derive(|x, y| y - x)),
        LeadXml::new("aVR", derive(|x, y| -(x + y) / 2)),
        LeadXml::new("AVL", derive(|x, y| x - y / 2)),
        LeadXml::new("avf", derive(|x, y| y - x / 2)),
        LeadXml::new("I", i),
        LeadXml::new("II", ii),
    ]
}

/// Twelve stored leads of which III, aVR, aVL, aVF are `offset` counts from what I and II say.
pub fn twelve(offset: i16) -> Muse {
    let mut file = Muse::new();
    let rhythm = file.rhythm();
    rhythm.leads.drain(..2);
    rhythm.leads.extend(limb_leads(offset));
    file
}

pub fn utf16(xml: &str, little_endian: bool, mark: bool) -> Vec<u8> {
    let bytes = |unit: u16| if little_endian { unit.to_le_bytes() } else { unit.to_be_bytes() };
    mark.then_some(0xFEFF).into_iter().chain(xml.encode_utf16()).flat_map(bytes).collect()
}
