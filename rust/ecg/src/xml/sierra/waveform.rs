//! `parsedwaveforms`: the rhythm of all leads in one payload, described by its attributes.

use crate::error::ParseError;
use crate::lead::Lead;
use crate::recording::{QualityFlags, Recording};
use crate::xml::field::Field;
use crate::xml::payload::{PayloadDecoder, most_bytes};
use crate::xml::scan::{Element, Scanner};
use crate::xml::sierra::fields::SignalFields;
use crate::xml::sierra::leads::Leads;
use crate::xml::sierra::xli::Chunk;
use crate::xml::{ParseOptions, Workspace};

/// What is kept. Behind it the carts store, up to eleven seconds, the rest of the strip and a calibration pulse of 1 mV, which is no ECG.
const KEPT_SECONDS: f64 = 10.0;
/// No lead of a resting ECG is longer; bounds the memory that a payload may ask for.
const MAX_SAMPLES: usize = 1 << 16;

/// The payload and what is said about it, in the words of 1.04 or of 1.03.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waveform<'a> {
    encoding: Field<'a>,
    compression: Field<'a>,
    is_compressed: Field<'a>,
    num_leads: Field<'a>,
    labels: Field<'a>,
    duration_ms: Field<'a>,
    sampling_rate: Field<'a>,
    resolution: Field<'a>,
    offset: Field<'a>,
    signed: Field<'a>,
    bits: Field<'a>,
    payload: Field<'a>,
}

/// The one that is there.
fn either<'a>(one: Field<'a>, other: Field<'a>) -> Field<'a> {
    if one.is_blank() { other } else { one }
}

impl<'a> Waveform<'a> {
    /// Read the element that was just opened.
    pub(super) fn read(element: &Element<'a>, scanner: &mut Scanner<'a>) -> Result<Self, ParseError> {
        Ok(Self {
            encoding: element.attribute("dataencoding"),
            compression: either(element.attribute("compression"), element.attribute("compressmethod")),
            is_compressed: element.attribute("compressflag"),
            num_leads: element.attribute("numberofleads"),
            labels: element.attribute("leadlabels"),
            duration_ms: element.attribute("durationperchannel"),
            sampling_rate: element.attribute("samplespersecond"),
            resolution: element.attribute("resolution"),
            offset: element.attribute("signaloffset"),
            signed: element.attribute("signalsigned"),
            bits: either(element.attribute("bitspersample"), element.attribute("nbitspersample")),
            payload: scanner.content(element, "parsedwaveforms")?,
        })
    }

    pub(super) const fn is_blank(&self) -> bool {
        self.payload.is_blank()
    }

    /// Decode the first ten seconds. What `parsedwaveforms` states about the samples counts before what `signalcharacteristics` states
    /// about their acquisition.
    pub(super) fn decode(
        &self,
        signal: &SignalFields<'a>,
        options: ParseOptions,
        workspace: &mut Workspace,
        recording: &mut Recording,
    ) -> Result<(), ParseError> {
        let sampling_rate_hz = self.sampling_rate_hz(signal)?;
        let lsb_uv = self.lsb_uv(signal)?;
        let Workspace { payload, assembly, sierra: leads, .. } = workspace;
        recording.flags.insert(self.decode_leads(signal, sampling_rate_hz, options, payload, leads)?);

        let flags = &mut recording.flags;
        flags.insert(QualityFlags::CRC_UNKNOWN);
        if lsb_uv < 0.0 {
            flags.insert(QualityFlags::NEGATIVE_GAIN);
        }
        if either(self.offset, signal.offset).is_non_zero() {
            flags.insert(QualityFlags::BASELINE_OFFSET);
        }
        let kept = (KEPT_SECONDS * sampling_rate_hz).round() as usize;
        if Lead::ALL.iter().any(|&lead| leads.get(lead).len() > kept) {
            flags.insert(QualityFlags::CUT);
        }
        assembly.clear();
        leads.push_to(assembly, kept, lsb_uv, self.payload.offset)?;
        assembly.finish(sampling_rate_hz, recording)
    }

    /// Decode every standard lead in its whole length, with the flags that follow from lengths and names.
    pub(super) fn decode_leads(
        &self,
        signal: &SignalFields<'a>,
        sampling_rate_hz: f64,
        options: ParseOptions,
        payload: &mut PayloadDecoder,
        leads: &mut Leads,
    ) -> Result<QualityFlags, ParseError> {
        self.check_samples(signal)?;
        let is_packed = self.is_packed()?;
        let stated = self.stated_samples(sampling_rate_hz)?;
        let max_samples = match stated {
            Some(stated) => stated,
            None if is_packed => MAX_SAMPLES,
            None => return Err(self.duration_ms.invalid("durationperchannel", "there to tell the leads apart")),
        };
        let names = self.names(signal)?;
        let bytes = leads.begin(|bytes| {
            let error = ParseError::InvalidBase64 { lead: Lead::I, offset: self.payload.offset as u64 };
            let text = self.payload.text();
            bytes.resize(most_bytes(&text), 0);
            let num_bytes = payload.decode(&text, bytes).map_err(|_| error)?;
            bytes.truncate(num_bytes);
            Ok(())
        })?;

        let mut flags = QualityFlags::default();
        let mut rest = &bytes[..];
        for name in names {
            if rest.is_empty() {
                match name {
                    Some(lead) => return Err(ParseError::MissingLead { lead }),
                    None => continue,
                }
            }
            let chunk;
            (chunk, rest) = if is_packed {
                let lead = name.unwrap_or(Lead::V6);
                Chunk::split(rest).map_err(|_| ParseError::DamagedPayload { lead, offset: self.payload.offset as u64 })?
            } else {
                Chunk::plain(rest, max_samples)
            };
            let Some(lead) = name else {
                flags.insert(QualityFlags::EXTRA_LEADS);
                continue;
            };
            if leads.has(lead) {
                if options.strict {
                    return Err(ParseError::DuplicateLead { lead, offset: self.labels.offset as u64 });
                }
                flags.insert(QualityFlags::DUPLICATE_LEAD);
                continue;
            }
            leads
                .unpack(lead, &chunk, max_samples)
                .map_err(|_| ParseError::DamagedPayload { lead, offset: self.payload.offset as u64 })?;
            if stated.is_some_and(|stated| stated != leads.get(lead).len()) {
                flags.insert(QualityFlags::COUNT_MISMATCH);
            }
        }
        // What is left are channels without a name: carts write sixteen whatever is connected. They are no leads.
        leads.end(bytes);
        if is_packed {
            leads.undo_prediction()?;
        }
        Ok(flags)
    }

    fn sampling_rate_hz(&self, signal: &SignalFields<'a>) -> Result<f64, ParseError> {
        let field = either(self.sampling_rate, signal.sampling_rate);
        let rate = field.number("samplingrate")?.ok_or(ParseError::MissingSamplingRate)?;
        if rate > 0.0 { Ok(rate) } else { Err(field.invalid("samplingrate", "a positive rate")) }
    }

    fn lsb_uv(&self, signal: &SignalFields<'a>) -> Result<f32, ParseError> {
        let field = either(self.resolution, signal.resolution);
        let missing = ParseError::MissingGain { lead: Lead::I, offset: self.payload.offset as u64 };
        let lsb_uv = field.number("resolution")?.ok_or(missing)? as f32;
        if lsb_uv.is_normal() { Ok(lsb_uv) } else { Err(field.invalid("resolution", "a finite gain other than 0")) }
    }

    /// Samples a lead as stated, when a duration is.
    fn stated_samples(&self, sampling_rate_hz: f64) -> Result<Option<usize>, ParseError> {
        let Some(duration_ms) = self.duration_ms.number("durationperchannel")? else { return Ok(None) };
        let samples = (duration_ms * sampling_rate_hz / 1000.0).round();
        if (1.0..=MAX_SAMPLES as f64).contains(&samples) {
            Ok(Some(samples as usize))
        } else {
            Err(self.duration_ms.invalid("durationperchannel", "the duration of a resting ECG"))
        }
    }

    /// Signed 16-bit samples in base64, or nothing that we read.
    fn check_samples(&self, signal: &SignalFields<'a>) -> Result<(), ParseError> {
        let is = |field: &Field<'_>, expected: &str| field.is_blank() || field.text().eq_ignore_ascii_case(expected.as_bytes());
        let signed = either(self.signed, signal.signed);
        for (field, element, expected) in
            [(&self.encoding, "dataencoding", "Base64"), (&signed, "signalsigned", "True"), (&self.bits, "bitspersample", "16")]
        {
            if !is(field, expected) {
                return Err(field.invalid(element, expected));
            }
        }
        Ok(())
    }

    /// Whether the payload is packed with XLI; any other compression is refused. Samples that are not packed are not predicted either.
    fn is_packed(&self) -> Result<bool, ParseError> {
        if self.is_compressed.text().eq_ignore_ascii_case(b"False") {
            return Ok(false);
        }
        match self.compression.text().to_ascii_uppercase().as_slice() {
            b"XLI" => Ok(true),
            b"" | b"NONE" | b"UNCOMPRESSED" if !self.is_compressed.is_true() => Ok(false),
            _ => Err(self.compression.invalid("compression", "XLI or none")),
        }
    }

    /// The lead in each place of the payload; `None` is one beyond the twelve. Without labels (1.03) the order is the standard one, if the
    /// acquisition was.
    fn names(&self, signal: &SignalFields<'a>) -> Result<Vec<Option<Lead>>, ParseError> {
        if self.labels.is_blank() {
            return match signal.acquisition_type.text().to_ascii_uppercase().as_slice() {
                b"" | b"STD-12" | b"10-WIRE" => Ok(Lead::ALL.map(Some).to_vec()),
                _ => Err(signal.acquisition_type.invalid("acquisitiontype", "STD-12, whose leads need no labels")),
            };
        }
        let labels = self.labels.text();
        let labels = labels.split(u8::is_ascii_whitespace).filter(|label| !label.is_empty());
        let num_leads = self.num_leads.integer().and_then(|number| usize::try_from(number).ok()).unwrap_or(usize::MAX);
        Ok(labels.take(num_leads).map(Lead::from_name).collect())
    }
}

#[cfg(test)]
mod tests;
