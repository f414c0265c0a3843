// A matrix w, read four neighbours of a row or one element at a time, in the storage type that a flag names. Places are
// counted in elements of this buffer; `origin` is the place of its first element in the whole matrix.
//
// W_F16, W_BF16: two elements a word. W_NF4: eight, with their block scales in the buffer `scales`. None: f32.
// VEC4_W: rows are a multiple of four long, so that w_four is there.

#ifdef W_NF4

// Quantiles of the normal distribution (QLoRA, appendix E).
var<private> nf4: array<f32, 16> = array<f32, 16>(
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
    -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
    0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0);

// The scale of the block of 64 that element `at` is in. Words of `scales`: 256 of the map, the offset, the word where the
// 8-bit scales begin, and the scales of these, one for 256. Where that word is 0, what follows are the scales themselves.
fn w_scale(at: u32, origin: u32) -> f32 {
    let block = (at + origin) / 64u;
    if (scales[257] == 0u) {
        return bitcast<f32>(scales[258u + block]);
    }
    let code = extractBits(scales[scales[257] + block / 4u], 8u * (block % 4u), 8u);
    return bitcast<f32>(scales[code]) * bitcast<f32>(scales[258u + block / 256u]) + bitcast<f32>(scales[256]);
}

// The values of four codes before scaling; the first of a byte is in its high half.
fn w_codes(at: u32) -> vec4f {
    let h = w[at / 8u] >> (4u * (at & 4u));
    return vec4f(nf4[(h >> 4u) & 15u], nf4[h & 15u], nf4[(h >> 12u) & 15u], nf4[(h >> 8u) & 15u]);
}

fn w_four(at: u32, origin: u32) -> vec4f {
    return w_codes(at) * w_scale(at, origin);
}

fn w_one(at: u32, origin: u32) -> f32 {
    return nf4[extractBits(w[at / 8u], 4u * ((at & 7u) ^ 1u), 4u)] * w_scale(at, origin);
}

#else
#ifdef W_F16

#ifdef VEC4_W
fn w_four(at: u32, origin: u32) -> vec4f {
    let pair = w[at / 4u];
    return vec4f(unpack2x16float(pair.x), unpack2x16float(pair.y));
}
#else
fn w_one(at: u32, origin: u32) -> f32 {
    let pair = unpack2x16float(w[at / 2u]);
    return select(pair.x, pair.y, (at & 1u) == 1u);
}
#endif

#else
#ifdef W_BF16

#ifdef VEC4_W
fn w_four(at: u32, origin: u32) -> vec4f {
    let pair = w[at / 4u];
    return bitcast<vec4f>(vec4u(pair.x << 16u, pair.x & 0xffff0000u, pair.y << 16u, pair.y & 0xffff0000u));
}
#else
fn w_one(at: u32, origin: u32) -> f32 {
    return bitcast<f32>((w[at / 2u] >> (16u * (at & 1u))) << 16u);
}
#endif

#else

#ifdef VEC4_W
fn w_four(at: u32, origin: u32) -> vec4f {
    return w[at / 4u];
}
#else
fn w_one(at: u32, origin: u32) -> f32 {
    return w[at];
}
#endif

#endif
#endif
#endif
