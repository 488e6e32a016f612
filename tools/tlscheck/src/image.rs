//! A program as the analysis sees it: functions with their instructions, and what constant words point at.

use std::collections::HashMap;

use iced_x86::{Decoder, DecoderOptions, Instruction};
use object::{
    Architecture, Object, ObjectSection, ObjectSymbol, RelocationTarget, SectionKind, SymbolKind,
};

use crate::Error;

/// What a word that the dynamic linker fills in points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pointee {
    /// An address of this program.
    Here(u64),
    /// A symbol of a shared library.
    There(String),
}

pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) code: Vec<Instruction>,
}

impl Function {
    /// Of machine code that is at `start`.
    pub(crate) fn decode(name: String, start: u64, bytes: &[u8]) -> Function {
        let decoder = Decoder::with_ip(64, bytes, start, DecoderOptions::NONE);
        Function {
            name,
            start,
            end: start + bytes.len() as u64,
            code: decoder.into_iter().collect(),
        }
    }

    pub(crate) fn contains(&self, address: u64) -> bool {
        (self.start..self.end).contains(&address)
    }
}

pub(crate) struct Image {
    /// By address.
    pub(crate) functions: Vec<Function>,
    /// Words that the dynamic linker fills in.
    words: HashMap<u64, Pointee>,
    by_start: HashMap<u64, usize>,
}

impl Image {
    pub(crate) fn new(mut functions: Vec<Function>, words: HashMap<u64, Pointee>) -> Image {
        functions.sort_by_key(|function| function.start);
        functions.dedup_by_key(|function| function.start);
        let starts = functions.iter().enumerate();
        let by_start = starts.map(|(index, f)| (f.start, index)).collect();
        Image {
            functions,
            words,
            by_start,
        }
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Image, Error> {
        let file = object::File::parse(bytes).map_err(Error::Format)?;
        if file.architecture() != Architecture::X86_64 {
            return Err(Error::Cpu(format!("{:?}", file.architecture())));
        }
        let mut functions = Vec::new();
        for symbol in file.symbols() {
            if symbol.kind() != SymbolKind::Text || symbol.size() == 0 {
                continue;
            }
            let Some(section) = symbol.section_index() else {
                continue;
            };
            let section = file.section_by_index(section).map_err(Error::Format)?;
            let range = section.data_range(symbol.address(), symbol.size());
            if section.kind() == SectionKind::Text
                && let Some(code) = range.map_err(Error::Format)?
            {
                let name = rustc_demangle::demangle(symbol.name().unwrap_or("?"));
                functions.push(Function::decode(
                    format!("{name:#}"),
                    symbol.address(),
                    code,
                ));
            }
        }
        match functions.is_empty() {
            true => Err(Error::Stripped),
            false => Ok(Image::new(functions, words(&file))),
        }
    }

    /// What the word at `address` points at, if it does not change after the start of the program.
    pub(crate) fn word(&self, address: u64) -> Option<&Pointee> {
        self.words.get(&address)
    }

    /// The number of the function that starts at `address`.
    pub(crate) fn function_at(&self, address: u64) -> Option<usize> {
        self.by_start.get(&address).copied()
    }
}

/// The words of relocations, which in an executable are those of the global offset table and of constant tables.
fn words(file: &object::File<'_>) -> HashMap<u64, Pointee> {
    let Some(relocations) = file.dynamic_relocations() else {
        return HashMap::new();
    };
    let constant = |address: u64| {
        file.sections().any(|section| {
            (section.address()..section.address() + section.size()).contains(&address)
                && matches!(section.name(), Ok(".got" | ".got.plt" | ".data.rel.ro"))
        })
    };
    let symbols = file.dynamic_symbol_table();
    let pointee = |relocation: &object::Relocation| match relocation.target() {
        RelocationTarget::Absolute => Some(Pointee::Here(relocation.addend() as u64)),
        RelocationTarget::Symbol(index) => {
            use object::ObjectSymbolTable;
            let symbol = symbols.as_ref()?.symbol_by_index(index).ok()?;
            match symbol.address() {
                0 => Some(Pointee::There(symbol.name().ok()?.to_owned())),
                address => Some(Pointee::Here(address)),
            }
        }
        _ => None,
    };
    relocations
        .filter(|(address, _)| constant(*address))
        .filter_map(|(address, relocation)| Some((address, pointee(&relocation)?)))
        .collect()
}
