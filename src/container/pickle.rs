//! The part of Python's pickle format that PyTorch uses for a state_dict.
//!
//! A pickle is a program. This machine builds data only: numbers, texts, tuples, lists, dictionaries and references to
//! tensors. The few functions that a state_dict names are known here and done here; any other name is an error. Nothing
//! is imported, called or executed.

use std::collections::HashMap;

/// Position of a node in [`Pickle::nodes`].
pub(super) type Id = usize;

/// Number type of a storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dtype {
    F32,
    F64,
    /// Known, but nothing that weights are read from.
    Other(&'static str),
}

/// A block of numbers in a file of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Storage {
    pub dtype: Dtype,
    /// Name of the file.
    pub key: String,
    /// Numbers in it.
    pub length: usize,
}

/// A view of a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TensorView {
    pub storage: Storage,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// The names that a pickle may refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(Dtype),
}

/// A value. Parts of containers are positions, so that shared parts and cycles cost and harm nothing.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    None,
    Bool,
    Int(i64),
    Float,
    Text(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Name(Known),
    Storage(Storage),
    Tensor(TensorView),
}

impl Node {
    /// What it is, for errors.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool => "a bool",
            Self::Int(_) => "an integer",
            Self::Float => "a float",
            Self::Text(_) => "a text",
            Self::Tuple(_) => "a tuple",
            Self::List(_) => "a list",
            Self::Dict(_) => "a dictionary",
            Self::Name(_) => "a function or class",
            Self::Storage(_) => "a storage",
            Self::Tensor(_) => "a tensor",
        }
    }
}

/// What a pickle describes.
#[derive(Debug)]
pub(super) struct Pickle {
    pub nodes: Vec<Node>,
    pub root: Id,
}

/// Builds what the program `bytes` describes; at most one node per byte. The error says what is wrong, and where.
pub(super) fn read(bytes: &[u8]) -> Result<Pickle, String> {
    let mut machine = Machine { bytes, ..Machine::default() };
    loop {
        let at = machine.at;
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => return Ok(Pickle { nodes: machine.nodes, root }),
            Err(problem) => return Err(format!("{problem} (byte {at} of its pickle)")),
        }
    }
}

#[derive(Default)]
struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<usize, Id>,
}

type Done = Result<(), String>;

impl<'a> Machine<'a> {
    /// One instruction; the result where it is the last.
    fn step(&mut self) -> Result<Option<Id>, String> {
        match self.byte()? {
            b'.' => return self.pop().map(Some),
            0x80 => self.protocol()?,
            // FRAME: a length that needs no attention.
            0x95 => drop(self.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'N' => self.push(Node::None),
            0x88 | 0x89 => self.push(Node::Bool),
            b'J' => {
                let value = i32::from_le_bytes(self.array()?);
                self.push(Node::Int(value.into()));
            }
            b'K' => {
                let value = self.byte()?;
                self.push(Node::Int(value.into()));
            }
            b'M' => {
                let value = u16::from_le_bytes(self.array()?);
                self.push(Node::Int(value.into()));
            }
            0x8a => self.long()?,
            b'G' => {
                self.take(8)?;
                self.push(Node::Float);
            }
            b'X' => {
                let length = self.length4()?;
                self.text(length)?;
            }
            0x8c => {
                let length = self.byte()?.into();
                self.text(length)?;
            }
            b')' => self.push(Node::Tuple(Vec::new())),
            b']' => self.push(Node::List(Vec::new())),
            b'}' => self.push(Node::Dict(Vec::new())),
            b't' => {
                let parts = self.marked()?;
                self.push(Node::Tuple(parts));
            }
            count @ 0x85..=0x87 => {
                let mut parts = (0x84..count).map(|_| self.pop()).collect::<Result<Vec<Id>, String>>()?;
                parts.reverse();
                self.push(Node::Tuple(parts));
            }
            b'a' => {
                let part = self.pop()?;
                self.append(vec![part])?;
            }
            b'e' => {
                let parts = self.marked()?;
                self.append(parts)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.insert(&[key, value])?;
            }
            b'u' => {
                let parts = self.marked()?;
                self.insert(&parts)?;
            }
            b'q' => {
                let slot = self.byte()?.into();
                self.remember(slot)?;
            }
            b'r' => {
                let slot = self.length4()?;
                self.remember(slot)?;
            }
            0x94 => self.remember(self.memo.len())?,
            b'h' => {
                let slot = self.byte()?.into();
                self.recall(slot)?;
            }
            b'j' => {
                let slot = self.length4()?;
                self.recall(slot)?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Node::Name(known(module, name)?));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let node = Node::Name(known(self.text_of(module)?, self.text_of(name)?)?);
                self.push(node);
            }
            b'Q' => self.storage()?,
            b'R' => self.reduce()?,
            b'b' => self.build()?,
            other => return Err(format!("instruction 0x{other:02x} has no place in a state_dict")),
        }
        Ok(None)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or("it ends too early; is the file complete?")?;
        let part = &self.bytes[self.at..end];
        self.at = end;
        Ok(part)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        Ok(self.take(N)?.try_into().expect("take gives N bytes"))
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.array::<1>()?[0])
    }

    fn length4(&mut self) -> Result<usize, String> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    fn utf8(bytes: &[u8]) -> Result<&str, String> {
        std::str::from_utf8(bytes).map_err(|_| "a text is not UTF-8".into())
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|b| *b == b'\n').ok_or("it ends too early; is the file complete?")?;
        self.at += length + 1;
        Self::utf8(&rest[..length])
    }

    fn text(&mut self, length: usize) -> Done {
        let text = Self::utf8(self.take(length)?)?.to_owned();
        self.push(Node::Text(text));
        Ok(())
    }

    fn protocol(&mut self) -> Done {
        match self.byte()? {
            2..=5 => Ok(()),
            version => Err(format!("pickle protocol {version}, expected 2 to 5")),
        }
    }

    /// An integer of up to 8 bytes, lowest byte first, with its sign in the highest bit.
    fn long(&mut self) -> Done {
        let length = self.byte()?.into();
        let bytes = self.take(length)?;
        if length > 8 {
            return Err(format!("an integer of {length} bytes"));
        }
        let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        wide[..length].copy_from_slice(bytes);
        self.push(Node::Int(i64::from_le_bytes(wide)));
        Ok(())
    }

    fn push(&mut self, node: Node) {
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
    }

    /// The topmost value above the last mark.
    fn pop(&mut self) -> Result<Id, String> {
        if self.stack.len() <= self.marks.last().copied().unwrap_or(0) {
            return Err(empty());
        }
        self.stack.pop().ok_or_else(empty)
    }

    /// Everything above the last mark.
    fn marked(&mut self) -> Result<Vec<Id>, String> {
        let at = self.marks.pop().filter(|at| *at <= self.stack.len()).ok_or_else(empty)?;
        Ok(self.stack.split_off(at))
    }

    fn top(&self) -> Result<Id, String> {
        self.stack.last().copied().ok_or_else(empty)
    }

    fn append(&mut self, parts: Vec<Id>) -> Done {
        let top = self.top()?;
        match &mut self.nodes[top] {
            Node::List(list) => list.extend(parts),
            other => return Err(format!("{} in the place of a list", other.kind())),
        }
        Ok(())
    }

    fn insert(&mut self, parts: &[Id]) -> Done {
        let top = self.top()?;
        let (pairs, rest) = parts.as_chunks::<2>();
        match &mut self.nodes[top] {
            Node::Dict(dict) if rest.is_empty() => dict.extend(pairs.iter().map(|[key, value]| (*key, *value))),
            Node::Dict(_) => return Err("a key without a value".into()),
            other => return Err(format!("{} in the place of a dictionary", other.kind())),
        }
        Ok(())
    }

    fn remember(&mut self, slot: usize) -> Done {
        let top = self.top()?;
        self.memo.insert(slot, top);
        Ok(())
    }

    fn recall(&mut self, slot: usize) -> Done {
        let id = self.memo.get(&slot).copied().ok_or("a reference to nothing")?;
        self.stack.push(id);
        Ok(())
    }

    fn text_of(&self, id: Id) -> Result<&str, String> {
        match &self.nodes[id] {
            Node::Text(text) => Ok(text),
            other => Err(format!("{} in the place of a text", other.kind())),
        }
    }

    fn size_of(&self, id: Id) -> Result<usize, String> {
        match self.nodes[id] {
            Node::Int(value) => usize::try_from(value).map_err(|_| format!("a size of {value}")),
            ref other => Err(format!("{} in the place of a size", other.kind())),
        }
    }

    fn tuple_of(&self, id: Id) -> Result<&[Id], String> {
        match &self.nodes[id] {
            Node::Tuple(parts) => Ok(parts),
            other => Err(format!("{} in the place of a tuple", other.kind())),
        }
    }

    fn sizes_of(&self, id: Id) -> Result<Vec<usize>, String> {
        self.tuple_of(id)?.iter().map(|part| self.size_of(*part)).collect()
    }

    /// `("storage", type, key, device, length)`.
    fn storage(&mut self) -> Done {
        let id = self.pop()?;
        let [label, class, key, _, length] = *self.tuple_of(id)? else {
            return Err("a reference to data that has not five parts".into());
        };
        let dtype = match self.nodes[class] {
            Node::Name(Known::Storage(dtype)) if self.text_of(label)? == "storage" => dtype,
            _ => return Err("a reference to data that is no storage".into()),
        };
        let storage = Storage { dtype, key: self.text_of(key)?.to_owned(), length: self.size_of(length)? };
        self.push(Node::Storage(storage));
        Ok(())
    }

    /// A known function of a tuple of arguments.
    fn reduce(&mut self) -> Done {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let arguments = self.tuple_of(arguments)?.to_vec();
        match (&self.nodes[function], &arguments[..]) {
            (Node::Name(Known::OrderedDict), []) => self.push(Node::Dict(Vec::new())),
            (Node::Name(Known::RebuildTensor), &[storage, offset, shape, strides, ..]) => {
                let Node::Storage(storage) = &self.nodes[storage] else {
                    return Err("a tensor without a storage".into());
                };
                let view = TensorView {
                    storage: storage.clone(),
                    offset: self.size_of(offset)?,
                    shape: self.sizes_of(shape)?,
                    strides: self.sizes_of(strides)?,
                };
                self.push(Node::Tensor(view));
            }
            (Node::Name(Known::RebuildParameter), &[tensor, ..]) if matches!(self.nodes[tensor], Node::Tensor(_)) => {
                self.stack.push(tensor);
            }
            (function, _) => return Err(format!("a call of {} with other arguments than PyTorch's", function.kind())),
        }
        Ok(())
    }

    /// Attributes of an ordered dictionary (`_metadata`) are left out; nothing else has any.
    fn build(&mut self) -> Done {
        self.pop()?;
        match &self.nodes[self.top()?] {
            Node::Dict(_) => Ok(()),
            other => Err(format!("attributes of {}", other.kind())),
        }
    }
}

fn empty() -> String {
    "a value is missing".into()
}

fn known(module: &str, name: &str) -> Result<Known, String> {
    let other = |name| Ok(Known::Storage(Dtype::Other(name)));
    match (module, name) {
        ("collections", "OrderedDict") => Ok(Known::OrderedDict),
        ("torch._utils", "_rebuild_tensor_v2") => Ok(Known::RebuildTensor),
        ("torch._utils", "_rebuild_parameter") => Ok(Known::RebuildParameter),
        ("torch", "FloatStorage") => Ok(Known::Storage(Dtype::F32)),
        ("torch", "DoubleStorage") => Ok(Known::Storage(Dtype::F64)),
        ("torch", "HalfStorage") => other("float16"),
        ("torch", "BFloat16Storage") => other("bfloat16"),
        ("torch", "LongStorage") => other("int64"),
        ("torch", "IntStorage") => other("int32"),
        ("torch", "ShortStorage") => other("int16"),
        ("torch", "CharStorage") => other("int8"),
        ("torch", "ByteStorage") => other("uint8"),
        ("torch", "BoolStorage") => other("bool"),
        _ => Err(format!(
            "it refers to {module}.{name}, which has no place in a state_dict (nothing was executed); save the weights \
             alone: torch.save(model.state_dict(), FILE)"
        )),
    }
}

#[cfg(test)]
#[path = "pickle_tests.rs"]
mod tests;
