//! Builds Schiller files in memory, in the structure that public readers expect.

use crate::builder::wave;

/// Eight leads of `num_samples` samples, 1 µV a count at 500 Hz, after an average of another length.
pub fn file(num_samples: usize) -> String {
    let waves = |kind: &str, num_samples: usize| {
        let channels: Vec<String> = ["I", "II", "V1", "V2", "V3", "V4", "V5", "V6"]
            .iter()
            .enumerate()
            .map(|(index, name)| {
                let counts: Vec<String> = wave(index, num_samples).iter().map(ToString::to_string).collect();
                format!(
                    "<channel><name>{name}</name><datastype>COMMASEPARATE</datastype><data>{}</data></channel>\n",
                    counts.join(",")
                )
            })
            .collect();
        format!(
            "<wavedata><type>{kind}</type><resolution><samplerate><units>HZ</units><value>500</value><exponent>1</exponent></samplerate>\
             <yres><units>UV</units><unitperbit>1</unitperbit></yres></resolution>\n{}</wavedata>\n",
            channels.concat()
        )
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<examdescript>\n<patdata><lastname>Hong</lastname><id>00112233</id></patdata>\n\
         <eventdata><event>\n{}{}</event></eventdata>\n</examdescript>\n",
        waves("ECG_AVERAGES", 300),
        waves("ECG_RHYTHMS", num_samples)
    )
}
