//! The header of an npy array, looked at before anything is parsed or allocated.

use std::io::{self, Read};

/// Longest npy header that is read; numpy pads headers to 64 or 128 bytes.
const MAX_HEADER: usize = 16_384;

/// Magic, version, length and text of the npy header, as they stand in the file.
pub(super) fn read_header_bytes(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
    let mut bytes = vec![0; 10];
    reader.read_exact(&mut bytes)?;
    if bytes[..6] != *b"\x93NUMPY" {
        return Err(invalid("it does not begin like an npy array".into()));
    }
    let length = if bytes[6] == 1 {
        usize::from(u16::from_le_bytes([bytes[8], bytes[9]]))
    } else {
        let mut high = [0; 2];
        reader.read_exact(&mut high)?;
        bytes.extend(high);
        u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize
    };
    if length > MAX_HEADER {
        return Err(invalid(format!("its header claims {length} bytes, expected at most {MAX_HEADER}")));
    }
    let start = bytes.len();
    bytes.resize(start + length, 0);
    reader.read_exact(&mut bytes[start..])?;
    Ok(bytes)
}

/// Refuses header texts that would make the literal parser recurse deeply or overflow: nested brackets, and shapes
/// whose product does not fit 63 bits.
pub(super) fn check_header_text(header: &[u8]) -> Result<(), String> {
    let start = if header[6] == 1 { 10 } else { 12 };
    let text = std::str::from_utf8(&header[start..]).map_err(|_| "is damaged: its header is not text".to_owned())?;
    let mut depth = 0_i32;
    for c in text.chars() {
        depth += i32::from("([{".contains(c)) - i32::from(")]}".contains(c));
        if depth > 4 {
            return Err("has a nested header; expected an array of plain numbers".into());
        }
    }
    let mut product = 1_u64;
    for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            let value = word.trim_end_matches('L').parse::<u64>().ok();
            product = value
                .and_then(|v| product.checked_mul(v.max(1)))
                .filter(|&p| p < 1 << 62)
                .ok_or_else(|| format!("is damaged: its header holds an impossible shape ({})", text.trim()))?;
        }
    }
    Ok(())
}
