//! Stands in where no port exists: says what to do about it.

compile_error!(
    "goroutines-asm has no port for this CPU: write src/arch/<cpu>.rs after the guide in src/port.rs and give it a line in src/arch/mod.rs"
);
