//! Builds aECG files in memory, whole or with one thing wrong.

use hfrisk_ecg::Lead;

/// One lead's `sequence`.
#[derive(Clone, Debug)]
pub struct LeadXml {
    pub code: String,
    pub counts: Vec<i16>,
    pub origin: String,
    pub scale: String,
    /// In place of the counts.
    pub digits: Option<String>,
}

/// One file; `{p}` in any text is the namespace's prefix.
#[derive(Clone, Debug)]
pub struct Aecg {
    pub prolog: String,
    /// With its colon; empty for the default namespace.
    pub prefix: String,
    pub series_code: String,
    pub time: String,
    pub leads: Vec<LeadXml>,
    /// More of the root, before the series.
    pub header: String,
    /// More of the series, after the rhythm.
    pub after: String,
    /// Between two numbers.
    pub between: String,
}

impl LeadXml {
    pub fn new(name: &str, counts: Vec<i16>) -> Self {
        Self {
            code: format!("MDC_ECG_LEAD_{}", name.to_uppercase()),
            counts,
            origin: "<{p}origin value=\"0\" unit=\"uV\"/>".into(),
            scale: "<{p}scale value=\"2.5\" unit=\"uV\"/>".into(),
            digits: None,
        }
    }

    pub fn sequence(&self, between: &str) -> String {
        let numbers = || self.counts.iter().map(ToString::to_string).collect::<Vec<_>>().join(between);
        let digits = self.digits.clone().unwrap_or_else(numbers);
        format!(
            "<{{p}}component><{{p}}sequence classCode=\"OBS\"><{{p}}code code=\"{}\" codeSystem=\"2.16.840.1.113883.6.24\"/>\
             <{{p}}value xsi:type=\"SLIST_PQ\">{}\n{}<{{p}}digits>{digits}</{{p}}digits></{{p}}value></{{p}}sequence></{{p}}component>\n",
            self.code, self.origin, self.scale
        )
    }
}

pub fn time(code: &str, increment: &str) -> String {
    format!(
        "<{{p}}component><{{p}}sequence><{{p}}code code=\"{code}\"/><{{p}}value xsi:type=\"GLIST_TS\">\
         <{{p}}head value=\"20021122091000\"/>{increment}</{{p}}value></{{p}}sequence></{{p}}component>"
    )
}

pub fn increment(value: &str, unit: &str) -> String {
    time("TIME_ABSOLUTE", &format!("<{{p}}increment value=\"{value}\" unit=\"{unit}\"/>"))
}

/// A beat that must never be seen.
pub fn derivation() -> String {
    let mut beat = Aecg::new();
    beat.leads.iter_mut().for_each(|lead| lead.counts = vec![7777; 600]);
    format!(
        "<{{p}}derivation><{{p}}derivedSeries><{{p}}code code=\"RHYTHM\"/>{}</{{p}}derivedSeries></{{p}}derivation>",
        beat.sequence_set()
    )
}

pub fn series(code: &str, inside: &str) -> String {
    format!(
        "<{{p}}component><{{p}}series><{{p}}code code=\"{code}\"/><{{p}}effectiveTime><{{p}}low value=\"20021122091007.250+0900\"/>\
         <{{p}}high value=\"20021122091017\"/></{{p}}effectiveTime><{{p}}author><{{p}}seriesAuthor><{{p}}manufacturedSeriesDevice>\
         <{{p}}code code=\"RESTING_ECG\"/><{{p}}manufacturerModelName>ELI250</{{p}}manufacturerModelName>\
         </{{p}}manufacturedSeriesDevice></{{p}}seriesAuthor></{{p}}author><{{p}}secondaryPerformer>\
         <{{p}}functionCode code=\"RHYTHM\"/><{{p}}name>Hong</{{p}}name></{{p}}secondaryPerformer>{inside}</{{p}}series></{{p}}component>"
    )
}

impl Aecg {
    /// Ten seconds of eight leads at 500 Hz.
    pub fn new() -> Self {
        let leads = Lead::INDEPENDENT.iter().enumerate().map(|(index, lead)| LeadXml::new(lead.name(), wave(index, 5000)));
        Self {
            prolog: String::new(),
            prefix: String::new(),
            series_code: "RHYTHM".into(),
            time: increment("0.002", "s"),
            leads: leads.collect(),
            header: header(),
            after: String::new(),
            between: " ".into(),
        }
    }

    pub fn sequence_set(&self) -> String {
        let leads: String = self.leads.iter().map(|lead| lead.sequence(&self.between)).collect();
        format!("<{{p}}component><{{p}}sequenceSet>{}{leads}</{{p}}sequenceSet></{{p}}component>", self.time)
    }

    pub fn to_xml(&self) -> String {
        let inside = format!("{}{}", self.sequence_set(), self.after);
        let xmlns = if self.prefix.is_empty() { "xmlns".into() } else { format!("xmlns:{}", self.prefix.trim_end_matches(':')) };
        let xml = format!(
            "{}<{{p}}AnnotatedECG {xmlns}=\"urn:hl7-org:v3\" type=\"Observation\">{}{}</{{p}}AnnotatedECG>\n",
            self.prolog,
            self.header,
            series(&self.series_code, &inside)
        );
        xml.replace("{p}", &self.prefix)
    }
}

/// What stands before the series, with all that names a person.
pub fn header() -> String {
    "<{p}id root=\"1\" extension=\"00112233\"/><{p}code code=\"93000\"/>\
     <{p}effectiveTime><{p}center value=\"20010101\"/></{p}effectiveTime>\
     <{p}componentOf><{p}timepointEvent><{p}componentOf><{p}subjectAssignment><{p}subject><{p}trialSubject>\
     <{p}id extension=\"00112233\"/><{p}subjectDemographicPerson><{p}name>Hong</{p}name>\
     <{p}administrativeGenderCode code=\"F\" codeSystem=\"2.16.840.1.113883.5.1\"></{p}administrativeGenderCode>\
     <{p}birthTime value=\"19530508\"/></{p}subjectDemographicPerson></{p}trialSubject></{p}subject></{p}subjectAssignment>\
     </{p}componentOf></{p}timepointEvent></{p}componentOf>\
     <{p}controlVariable><{p}relatedObservation><{p}code code=\"21612-7\"/><{p}value xsi:type=\"PQ\" value=\"46\" unit=\"a\"/>\
     </{p}relatedObservation></{p}controlVariable>\n"
        .into()
}

/// A triangle whose period and height depend on the lead.
pub fn wave(index: usize, num_samples: usize) -> Vec<i16> {
    let period = 40 + 7 * index as i32;
    (0..num_samples as i32).map(|t| ((t % period - period / 2) * (index as i32 + 1)) as i16).collect()
}

/// A file with one thing done to it.
pub fn aecg(change: impl FnOnce(&mut Aecg)) -> Vec<u8> {
    let mut file = Aecg::new();
    change(&mut file);
    file.to_xml().into_bytes()
}

/// A file with one thing done to one lead.
pub fn lead(index: usize, change: impl FnOnce(&mut LeadXml)) -> Vec<u8> {
    aecg(|file| change(&mut file.leads[index]))
}

/// A file whose text was edited.
pub fn text(change: impl FnOnce(String) -> String) -> Vec<u8> {
    change(Aecg::new().to_xml()).into_bytes()
}
