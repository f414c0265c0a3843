// What base WGSL lacks: the upper half of a product of 32-bit numbers, and a test for numbers that are not finite
// (compilers may assume that x == x, but not what the bits are).

fn mulhi(a: u32, b: u32) -> u32 {
    let a0 = a & 0xffffu;
    let a1 = a >> 16u;
    let b0 = b & 0xffffu;
    let b1 = b >> 16u;
    let low = a0 * b1 + ((a0 * b0) >> 16u); // at most 0xfffe0001 + 0xfffe
    let mid = a1 * b0 + (low & 0xffffu);
    return a1 * b1 + (low >> 16u) + (mid >> 16u);
}

fn finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}

// NaN, for a number that is not finite.
fn not_a_number(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) | 0x7fc00000u);
}
