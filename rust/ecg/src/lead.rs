//! The twelve standard leads, their one order, and the four that follow from two others.

/// One of the twelve standard leads, in the order of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Lead {
    I,
    II,
    III,
    AVR,
    AVL,
    AVF,
    V1,
    V2,
    V3,
    V4,
    V5,
    V6,
}

impl Lead {
    /// All leads in canonical order: I II III aVR aVL aVF V1-V6.
    pub const ALL: [Self; 12] = [
        Self::I,
        Self::II,
        Self::III,
        Self::AVR,
        Self::AVL,
        Self::AVF,
        Self::V1,
        Self::V2,
        Self::V3,
        Self::V4,
        Self::V5,
        Self::V6,
    ];

    /// The eight leads from which the other four follow: I II V1-V6.
    pub const INDEPENDENT: [Self; 8] = [Self::I, Self::II, Self::V1, Self::V2, Self::V3, Self::V4, Self::V5, Self::V6];

    /// Read a lead name, whatever its case and surrounding white space; `None` for any other name (V3R, X, ...).
    pub fn from_name(name: &[u8]) -> Option<Self> {
        let name = name.trim_ascii();
        Self::ALL.into_iter().find(|lead| lead.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The usual spelling, such as `aVR`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::I => "I",
            Self::II => "II",
            Self::III => "III",
            Self::AVR => "aVR",
            Self::AVL => "aVL",
            Self::AVF => "aVF",
            Self::V1 => "V1",
            Self::V2 => "V2",
            Self::V3 => "V3",
            Self::V4 => "V4",
            Self::V5 => "V5",
            Self::V6 => "V6",
        }
    }

    /// Position in the canonical order, 0 to 11.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Position among the eight independent leads; `None` for III, aVR, aVL and aVF.
    pub const fn independent_index(self) -> Option<usize> {
        match self {
            Self::I => Some(0),
            Self::II => Some(1),
            Self::III | Self::AVR | Self::AVL | Self::AVF => None,
            _ => Some(self as usize - 4),
        }
    }
}

impl std::fmt::Display for Lead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
