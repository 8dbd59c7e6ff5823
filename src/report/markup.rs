//! Lists of escaped texts.

use crate::plot::format::escape;

/// An unordered list.
pub fn bullets(items: &[String]) -> String {
    let items: String = items.iter().map(|i| format!("<li>{}</li>\n", escape(i))).collect();
    format!("<ul>\n{items}</ul>")
}

/// Terms with their definitions.
pub fn definitions(items: &[(&str, String)]) -> String {
    let items: String = items.iter().map(|(k, v)| format!("<dt>{}</dt><dd>{}</dd>\n", escape(k), escape(v))).collect();
    format!("<dl>\n{items}</dl>\n")
}
