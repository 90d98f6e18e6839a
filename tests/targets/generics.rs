// SPDX-License-Identifier: Apache-2.0
//! Generic functions, trait implementations, and panics that unwind through destructors.
//!
//! True stacks, std's frames left out: main, generic, area of a Ring of a Ring of a Square, then
//! spin, called by the Square's area with a jump; and main, ten times dive, then either generic,
//! area of a Ring, area of a Square, which panics, and the unwinder; or the destructor of Ballast.
use std::panic;

trait Shape {
    fn area(&self, depth: u32) -> u64;
}

struct Square(u64);
struct Ring<T: Shape>(T);
struct Ballast(u64);

/// A value about which the compiler forgets all.
#[inline(never)]
fn opaque(value: u64) -> u64 {
    unsafe { std::ptr::read_volatile(&value) }
}

#[inline(never)]
fn spin(mut value: u64, rounds: u32) -> u64 {
    for _ in 0..rounds {
        value = opaque(value.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407));
    }
    value
}

impl Shape for Square {
    #[inline(never)]
    fn area(&self, depth: u32) -> u64 {
        if depth > 100 {
            panic!("too deep");
        }
        spin(self.0, 4000)
    }
}

impl<T: Shape> Shape for Ring<T> {
    #[inline(never)]
    fn area(&self, depth: u32) -> u64 {
        opaque(self.0.area(depth + 1)) + 1
    }
}

#[inline(never)]
fn generic<T: Shape, F: Fn(u64) -> u64>(shape: &T, then: F, depth: u32) -> u64 {
    opaque(then(shape.area(depth))) + 1
}

impl Drop for Ballast {
    #[inline(never)]
    fn drop(&mut self) {
        self.0 = opaque(spin(self.0, 200)) + 1;
    }
}

#[inline(never)]
fn dive(left: u32) -> u64 {
    let mut ballast = Ballast(left as u64);
    ballast.0 += if left > 1 { dive(left - 1) } else { generic(&Ring(Square(3)), |x| x, 100) };
    opaque(ballast.0)
}

fn main() {
    let mut total = 0u64;
    panic::set_hook(Box::new(|_| {}));
    println!("ready");
    loop {
        for _ in 0..5 {
            total = total.wrapping_add(generic(&Ring(Ring(Square(7))), |x| x.wrapping_mul(3), 0));
        }
        if panic::catch_unwind(|| dive(10)).is_ok() {
            break;
        }
    }
    println!("{}", total);
}
