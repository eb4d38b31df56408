//! Builds `CardioSoft` files in memory.

use hfrisk_ecg::Lead;

use crate::builder::wave;

/// Twelve leads, of which the limb leads follow from I and II, as `CardioSoft` writes them.
pub fn file(num_samples: usize) -> String {
    let even = |index: usize| wave(index, num_samples).into_iter().map(|count| count / 2 * 2).collect::<Vec<i16>>();
    let (i, ii) = (even(0), even(1));
    let derive = |f: fn(i16, i16) -> i16| i.iter().zip(&ii).map(|(&x, &y)| f(x, y)).collect::<Vec<i16>>();
    let leads: Vec<String> = Lead::ALL
        .iter()
        .map(|lead| {
            let counts = match lead {
                Lead::I => i.clone(),
                Lead::II => ii.clone(),
                Lead::III => derive(|x, y| y - x),
                Lead::AVR => derive(|x, y| -(x + y) / 2),
                Lead::AVL => derive(|x, y| x - y / 2),
                Lead::AVF => derive(|x, y| y - x / 2),
                _ => wave(lead.index() - 4, num_samples),
            };
            let lines: Vec<String> =
                counts.chunks(20).map(|line| line.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")).collect();
            format!("\t\t<WaveformData lead=\"{}\">{}</WaveformData>\n", lead.name(), lines.join(",\n\t\t"))
        })
        .collect();
    let leads = leads.concat();
    let beat = "<SampleRate units=\"Hz\">100</SampleRate><Resolution units=\"uVperLsb\">1</Resolution><WaveformData lead=\"I\">7,7</WaveformData>";
    format!(
        "<?xml version=\"1.0\" encoding=\"ISO8859-1\"?>\n<CardiologyXML>\n<ObservationType>RestECG</ObservationType>\n\
         <ObservationDateTime><Hour>9</Hour><Minute>5</Minute><Second>7</Second><Day>3</Day><Month>11</Month><Year>2014</Year></ObservationDateTime>\n\
         <PatientInfo><PID>00112233</PID><Name><FamilyName>Hong</FamilyName></Name><Age units=\"years\">61</Age>\
         <BirthDateTime><Day>8</Day><Month>5</Month><Year>1953</Year></BirthDateTime><Gender>FEMALE</Gender></PatientInfo>\n\
         <Device-Type>MAC2000</Device-Type>\n\
         <RestingECGMeasurements><VentricularRate units=\"BPM\">62</VentricularRate><PQInterval units=\"ms\">160</PQInterval>\
         <QTCInterval units=\"ms\"></QTCInterval><RAxis units=\"deg\">-30</RAxis><MedianSamples>{beat}<QTInterval>9</QTInterval></MedianSamples>\
         </RestingECGMeasurements>\n\
         <StripData><NumberOfLeads>12</NumberOfLeads><SampleRate units=\"Hz\">500</SampleRate>\
         <ChannelSampleCountTotal>{num_samples}</ChannelSampleCountTotal><Resolution units=\"uVperLsb\">5</Resolution>\n{leads}</StripData>\n\
         <FullDisclosure>{beat}<FullDisclosureData>1,2,3,</FullDisclosureData></FullDisclosure>\n</CardiologyXML>\n"
    )
}
