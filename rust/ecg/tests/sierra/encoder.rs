//! XLI, the other way round.

use std::collections::HashMap;

use hfrisk_ecg::Lead;

/// What XLI stores of twelve leads: III, aVR, aVL, aVF as their prediction from I, II and III less themselves.
pub fn predict(leads: &[(String, Vec<i16>)]) -> Vec<Vec<i16>> {
    let find =
        |lead: Lead| leads.iter().find(|(name, _)| Lead::from_name(name.as_bytes()) == Some(lead)).map(|(_, counts)| counts);
    let residual = |counts: &[i16], a: Lead, b: Lead, prediction: fn(i32, i32) -> i32| -> Vec<i16> {
        let (Some(a), Some(b)) = (find(a), find(b)) else { return counts.to_vec() };
        let pairs = a.iter().zip(b).map(|(&a, &b)| prediction(a.into(), b.into()));
        counts.iter().zip(pairs).map(|(&count, predicted)| (predicted - i32::from(count)) as i16).collect()
    };
    let stored = |(name, counts): &(String, Vec<i16>)| match Lead::from_name(name.as_bytes()) {
        Some(Lead::III) => residual(counts, Lead::I, Lead::II, |i, ii| ii - i),
        Some(Lead::AVR) => residual(counts, Lead::I, Lead::II, |i, ii| -((i + ii) >> 1)),
        Some(Lead::AVL) => residual(counts, Lead::I, Lead::III, |i, iii| (i - iii) >> 1),
        Some(Lead::AVF) => residual(counts, Lead::II, Lead::III, |ii, iii| (ii + iii) >> 1),
        _ => counts.clone(),
    };
    leads.iter().map(stored).collect()
}

/// One lead with its header.
pub fn pack(counts: &[i16]) -> Vec<u8> {
    let curve = |i: usize| match (counts.get(i.wrapping_sub(1)), counts.get(i), counts.get(i + 1)) {
        (Some(&x), Some(&y), Some(&z)) => y.wrapping_mul(2).wrapping_sub(x).wrapping_sub(z),
        _ => 0,
    };
    let delta = |(i, &count): (usize, &i16)| if i < 2 { count } else { curve(i).wrapping_add(64) };
    let deltas: Vec<i16> = counts.iter().enumerate().map(delta).collect();
    let high = deltas.iter().map(|delta| delta.to_be_bytes()[0]);
    let low = deltas.iter().map(|delta| delta.to_be_bytes()[1]);
    let stream = lzw(&high.chain(low).collect::<Vec<u8>>());
    let mut chunk = (stream.len() as i32).to_le_bytes().to_vec();
    chunk.extend([1, 0]);
    chunk.extend(curve(1).to_le_bytes());
    chunk.extend(stream);
    chunk
}

fn lzw(bytes: &[u8]) -> Vec<u8> {
    let mut table: HashMap<(u16, u8), u16> = HashMap::new();
    let mut codes = Vec::new();
    let mut current: Option<u16> = None;
    for &byte in bytes {
        current = Some(match current {
            None => u16::from(byte),
            Some(code) => table.get(&(code, byte)).copied().unwrap_or_else(|| {
                codes.push(code);
                if table.len() < 1023 - 256 {
                    table.insert((code, byte), 256 + table.len() as u16);
                }
                u16::from(byte)
            }),
        });
    }
    codes.extend(current);
    codes.push(1023);
    bits(&codes)
}

/// Codes of ten bits, most significant bit first.
pub fn bits(codes: &[u16]) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut held, mut num_held) = (0_u32, 0);
    for &code in codes {
        held = held << 10 | u32::from(code);
        num_held += 10;
        while num_held >= 8 {
            num_held -= 8;
            out.push((held >> num_held) as u8);
            held &= (1 << num_held) - 1;
        }
    }
    if num_held > 0 {
        out.push((held << (8 - num_held)) as u8);
    }
    out
}
