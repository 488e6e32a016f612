//! Registers that only some CPUs of an architecture have, and that an inlined switch has to keep all the same: those of
//! AVX-512. `tests/conformance` has the registers of the ABI.
#![cfg(target_arch = "x86_64")]

use goroutines_asm::{Context, Native, Port};
use std::arch::asm;
use std::arch::x86_64::{
    _mm512_cmpeq_epi8_mask, _mm512_cmpeq_epi64_mask, _mm512_mask_cmpeq_epi8_mask, _mm512_set1_epi64,
};
use std::hint::black_box;

/// Overwrites all vector and mask registers each time it runs.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn overwrite(outside: *mut Context) -> ! {
    let mut own = Context::NULL;
    loop {
        // SAFETY: every register that the instructions write is declared; `outside` is where the switch to here saved.
        unsafe {
            asm!(
                "vpternlogd zmm0, zmm0, zmm0, 0xff",
                ".irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
                "vmovdqa64 zmm\\n, zmm0",
                ".endr",
                ".irp n, 0,1,2,3,4,5,6,7",
                "kxnorq k\\n, k\\n, k\\n",
                ".endr",
                clobber_abi("sysv64"),
            );
            Native::switch::<0>(&raw mut own, *outside, &raw mut own as usize);
        }
    }
}

unsafe extern "C" fn entry(outside: usize) -> ! {
    // SAFETY: the test gets here only where the CPU has AVX-512; `outside` waits in its switch.
    unsafe { overwrite(outside as *mut Context) }
}

/// Thirty-two vectors and eight masks that live across an inlined switch. Each is a variable, because an array lies in memory.
macro_rules! survive {
    ($switch:expr; $($number:literal $vector:ident)*; $($mask:ident)*) => {
        let zero = _mm512_set1_epi64(black_box(0));
        $(let $vector = _mm512_set1_epi64(black_box($number));)*
        $(let $mask = _mm512_cmpeq_epi8_mask(zero, _mm512_set1_epi64(black_box(0xff00)));)*
        $switch;
        let zero = _mm512_set1_epi64(black_box(0));
        $(assert_eq!(_mm512_cmpeq_epi64_mask($vector, _mm512_set1_epi64(black_box($number))), 0xff, "{}", stringify!($vector));)*
        $(assert_eq!(_mm512_mask_cmpeq_epi8_mask($mask, zero, zero), 0xfdfd_fdfd_fdfd_fdfd, "{}", stringify!($mask));)*
    };
}

#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn vectors_survive(outside: *mut Context, mut inside: Context) {
    for _ in 0..4 {
        survive! {
            // SAFETY: `inside` is suspended and tells where it is saved next; `outside` is read while we wait.
            inside = unsafe { *(Native::switch::<0>(outside, inside, outside as usize) as *const Context) };
            0 v0 1 v1 2 v2 3 v3 4 v4 5 v5 6 v6 7 v7 8 v8 9 v9 10 v10 11 v11 12 v12 13 v13 14 v14 15 v15
            16 v16 17 v17 18 v18 19 v19 20 v20 21 v21 22 v22 23 v23 24 v24 25 v25 26 v26 27 v27 28 v28 29 v29
            30 v30 31 v31;
            k0 k1 k2 k3 k4 k5 k6 k7
        }
    }
}

#[test]
fn avx512_values_survive_an_inlined_switch() {
    if !(std::is_x86_feature_detected!("avx512f") && std::is_x86_feature_detected!("avx512bw")) {
        eprintln!("not tested: this CPU has no AVX-512");
        return;
    }
    let mut stack = vec![0_u128; 4096];
    let mut outside = Context::NULL;
    // SAFETY: an aligned stack of 64 KiB, and a CPU that has the features.
    unsafe {
        let inside = Native::prepare(stack.as_mut_ptr_range().end.cast(), entry);
        vectors_survive(&raw mut outside, inside);
    }
}
