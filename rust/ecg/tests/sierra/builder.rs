//! Builds Sierra files in memory, whole or with one thing wrong. Every value of a new [`Sierra`] is what a Philips cart writes.

use hfrisk_ecg::Lead;

use crate::encoder::{pack, predict};

/// One file.
#[derive(Clone, Debug)]
pub struct Sierra {
    pub prolog: String,
    pub version: String,
    /// Content of `signalcharacteristics`.
    pub signal: String,
    pub age: String,
    /// Content of `internalmeasurements`.
    pub measurements: String,
    /// Content of `interpretations`.
    pub interpretations: String,
    /// Attributes of `parsedwaveforms`.
    pub attributes: Vec<(&'static str, String)>,
    pub leads: Vec<(String, Vec<i16>)>,
    /// In place of the packed leads.
    pub payload: Option<Vec<u8>>,
    /// In place of the payload's base64.
    pub text: Option<String>,
    pub line_break: &'static str,
}

impl Sierra {
    /// Eleven seconds of twelve leads, of which the four follow from I and II, as 1.04 writes them.
    pub fn new() -> Self {
        let leads: Vec<_> = Lead::ALL.iter().map(|lead| (lead.name().to_owned(), wave(*lead, 5500))).collect();
        let attributes = [
            ("dataencoding", "Base64"),
            ("compression", "XLI"),
            ("numberofleads", "12"),
            ("leadlabels", "I II III aVR aVL aVF V1 V2 V3 V4 V5 V6"),
            ("durationperchannel", "11000"),
            ("samplespersecond", "500"),
            ("resolution", "5"),
            ("signaloffset", "0"),
            ("signalsigned", "True"),
            ("bitspersample", "16"),
        ];
        Self {
            prolog: "<?xml version=\"1.0\" encoding=\"utf-16\"?>\r\n".into(),
            version: "1.04".into(),
            signal: "<samplingrate>500</samplingrate><resolution>5</resolution><acquisitiontype>10-WIRE</acquisitiontype>".into(),
            age: "<age defaultage=\"50\"><dateofbirth>1950-02-01</dateofbirth></age>".into(),
            measurements: String::new(),
            interpretations: String::new(),
            attributes: attributes.map(|(name, value)| (name, value.to_owned())).to_vec(),
            leads,
            payload: None,
            text: None,
            line_break: "\r\n",
        }
    }

    /// The same in the words of 1.03, without labels.
    pub fn old() -> Self {
        let mut file = Self { version: " 1.03 ".into(), prolog: String::new(), ..Self::new() };
        file.signal = file.signal.replace("resolution>", "signalresolution>").replace("10-WIRE", "STD-12");
        file.attributes = [
            ("compressflag", "True"),
            ("compressmethod", "XLI"),
            ("dataencoding", "Base64"),
            ("durationperchannel", "11000"),
            ("nbitspersample", "16"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .to_vec();
        file
    }

    /// The same 1.04 file without compression.
    pub fn plain() -> Self {
        let mut file = Self::new();
        file.remove("compression");
        file.payload =
            Some(file.leads.iter().flat_map(|(_, counts)| counts.iter().flat_map(|count| count.to_le_bytes())).collect());
        file
    }

    pub fn remove(&mut self, name: &str) {
        self.attributes.retain(|(other, _)| *other != name);
    }

    pub fn set(&mut self, name: &'static str, value: &str) {
        self.remove(name);
        self.attributes.push((name, value.to_owned()));
    }

    /// Give every lead another length.
    pub fn resize(&mut self, num_samples: usize) {
        for (_, counts) in &mut self.leads {
            counts.truncate(num_samples);
        }
    }

    pub fn packed(&self) -> Vec<u8> {
        predict(&self.leads).iter().flat_map(|counts| pack(counts)).collect()
    }

    pub fn to_xml(&self) -> String {
        let payload = self.payload.clone().unwrap_or_else(|| self.packed());
        let text = self.text.clone().unwrap_or_else(|| {
            let text = base64_simd::STANDARD.encode_to_string(&payload);
            let lines: Vec<&str> = text.as_bytes().chunks(72).map(|line| std::str::from_utf8(line).unwrap()).collect();
            lines.join(self.line_break)
        });
        let attributes: Vec<String> = self.attributes.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        let attributes = attributes.join(" ");
        let Self { prolog, version, signal, age, measurements, interpretations, .. } = self;
        format!(
            "{prolog}<restingecgdata xmlns=\"http://www3.medical.philips.com\" status=\"New\">\
             <documentinfo><documentname>x.xml</documentname><documenttype>PhilipsECG</documenttype>\
             <documentversion>{version}</documentversion></documentinfo>\
             <userdefines><userdefine><label>Name</label><value>Hong</value></userdefine></userdefines>\
             <reportinfo date=\"2001-01-01\" time=\"01:01:01\"/>\
             <dataacquisition date=\"2010-01-19\" time=\"15:19:22\" statflag=\"False\">\
             <machine machineid=\"00112233\">PageWriter Touch</machine>\
             <acquirer><operator id=\"Hong\">Hong</operator></acquirer>\
             <signalcharacteristics>{signal}</signalcharacteristics></dataacquisition>\
             <patient><generalpatientdata><patientid>00112233</patientid>\
             <name><lastname>Hong</lastname><firstname>Gildong</firstname></name>{age}<sex>Male</sex>\
             </generalpatientdata></patient>\
             <internalmeasurements>{measurements}</internalmeasurements>\
             <interpretations>{interpretations}</interpretations>\
             <waveforms><parsedwaveforms {attributes}>{text}</parsedwaveforms>\
             <repbeats dataencoding=\"Base64\" samplespersec=\"1000\" resolution=\"1.0\"><repbeat leadname=\"I\">\
             <waveform duration=\"1200\">/38=</waveform></repbeat></repbeats></waveforms></restingecgdata>"
        )
    }
}

/// A file with one thing done to it.
pub fn sierra(change: impl FnOnce(&mut Sierra)) -> Vec<u8> {
    let mut file = Sierra::new();
    change(&mut file);
    file.to_xml().into_bytes()
}

/// Counts of a lead: even triangles in I and II, so that the other four follow from them exactly; a calibration pulse behind ten seconds.
pub fn wave(lead: Lead, num_samples: usize) -> Vec<i16> {
    let triangle = |period: i32, height: i32, t: i32| (t % period - period / 2) * height;
    let value = |t: i32| {
        let (i, ii) = (triangle(40, 2, t), triangle(54, 4, t));
        match lead {
            _ if t >= 5400 => 200,
            _ if t >= 5100 => 0,
            Lead::I => i,
            Lead::II => ii,
            Lead::III => ii - i,
            Lead::AVR => -(i + ii) / 2,
            Lead::AVL => i - ii / 2,
            Lead::AVF => ii - i / 2,
            other => triangle(30 + other.index() as i32, other.index() as i32, t),
        }
    };
    (0..num_samples as i32).map(|t| value(t) as i16).collect()
}

pub fn utf16(xml: &str, little_endian: bool) -> Vec<u8> {
    let bytes = |unit: u16| if little_endian { unit.to_le_bytes() } else { unit.to_be_bytes() };
    std::iter::once(0xFEFF).chain(xml.encode_utf16()).flat_map(bytes).collect()
}
