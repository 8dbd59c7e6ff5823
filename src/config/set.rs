//! `--set key=value`: one assignment to a dotted key of the file.

use crate::link::ConfigError;

/// A parsed `key=value`.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// Dotted key, e.g. `scenario.pilot_length`; a number indexes an array, e.g. `figures.0.title`.
    pub key: String,
    /// The value: TOML where it parses as TOML, else a string.
    pub value: toml::Value,
}

impl std::str::FromStr for Assignment {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let (key, value) = text.split_once('=').ok_or_else(|| {
            ConfigError::Invalid(format!("--set {text}: expected key=value, for example --set scenario.antennas=32"))
        })?;
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() || key.split('.').any(str::is_empty) {
            return Err(ConfigError::Invalid(format!("--set {text}: empty key; expected key=value")));
        }
        let parsed = format!("v = {value}").parse::<toml::Table>().ok().and_then(|mut t| t.remove("v"));
        Ok(Self { key: key.into(), value: parsed.unwrap_or_else(|| toml::Value::String(value.into())) })
    }
}

/// Puts the value into the table, making the tables on the way.
///
/// # Errors
/// [`ConfigError::Invalid`] when the key runs through something that is neither a table nor an array.
pub fn apply(table: &mut toml::Table, assignment: &Assignment) -> Result<(), ConfigError> {
    if assignment.key.split('.').any(|part| part == "*") {
        return apply_to_all(table, assignment);
    }
    let parts: Vec<&str> = assignment.key.split('.').collect();
    let (last, path) = parts.split_last().expect("split gives at least one part");
    let wrong = |part: &str| ConfigError::Invalid(format!("key {}: {part} has no such entry", assignment.key));
    let mut at: &mut toml::Value = &mut toml::Value::Boolean(false);
    let mut first = true;
    for part in path {
        at = if first {
            first = false;
            table.entry(part.to_string()).or_insert_with(|| toml::Value::Table(toml::Table::new()))
        } else {
            match at {
                toml::Value::Table(t) => {
                    t.entry(part.to_string()).or_insert_with(|| toml::Value::Table(toml::Table::new()))
                }
                toml::Value::Array(a) => {
                    let index: usize = part.parse().map_err(|_| wrong(part))?;
                    a.get_mut(index).ok_or_else(|| wrong(part))?
                }
                _ => return Err(wrong(part)),
            }
        };
    }
    if first {
        table.insert(last.to_string(), assignment.value.clone());
        return Ok(());
    }
    match at {
        toml::Value::Table(t) => {
            t.insert(last.to_string(), assignment.value.clone());
        }
        toml::Value::Array(a) => {
            let slot = last.parse::<usize>().ok().and_then(|i| a.get_mut(i)).ok_or_else(|| wrong(last))?;
            *slot = assignment.value.clone();
        }
        _ => return Err(wrong(last)),
    }
    Ok(())
}

/// A key with `*` stands for every entry that has the rest of the key, e.g. `detectors.*.langevin.levels`.
fn apply_to_all(table: &mut toml::Table, assignment: &Assignment) -> Result<(), ConfigError> {
    let keys = expand(&toml::Value::Table(table.clone()), &assignment.key.split('.').collect::<Vec<_>>());
    if keys.is_empty() {
        return Err(ConfigError::Invalid(format!("key {}: the file has no such entry", assignment.key)));
    }
    for key in keys {
        apply(table, &Assignment { key, value: assignment.value.clone() })?;
    }
    Ok(())
}

/// Every key that a key with `*` stands for: all of its tables are there, the last part may be new.
fn expand(value: &toml::Value, parts: &[&str]) -> Vec<String> {
    let (Some((part, rest)), toml::Value::Table(table)) = (parts.split_first(), value) else { return Vec::new() };
    let names: Vec<&String> =
        if *part == "*" { table.keys().collect() } else { table.keys().filter(|k| k == part).collect() };
    if rest.is_empty() {
        return if *part == "*" { names.into_iter().cloned().collect() } else { vec![(*part).to_owned()] };
    }
    let mut keys = Vec::new();
    for name in names {
        keys.extend(expand(&table[name], rest).into_iter().map(|key| format!("{name}.{key}")));
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_every_table_that_has_the_rest() {
        let mut table: toml::Table = "[d.a.x]\nn = 1\n[d.b]\nn = 2\n[d.c.x]".parse().unwrap();
        apply(&mut table, &"d.*.x.n=7".parse().unwrap()).unwrap();
        let n = |name: &str| table["d"][name].get("x").and_then(|x| x["n"].as_integer());
        assert_eq!([n("a"), n("b"), n("c")], [Some(7), None, Some(7)]);
        assert!(apply(&mut table, &"e.*.n=1".parse().unwrap()).is_err());
    }
}
