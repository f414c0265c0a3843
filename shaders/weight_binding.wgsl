// The matrix at binding 2, of which weights.wgsl reads; what the flags mean stands there.

#ifdef W_NF4
@group(0) @binding(2) var<storage, read> w: array<u32>;
#else
#ifdef W_16
#ifdef VEC4_W
@group(0) @binding(2) var<storage, read> w: array<vec2u>;
#else
@group(0) @binding(2) var<storage, read> w: array<u32>;
#endif
#else
#ifdef VEC4_W
@group(0) @binding(2) var<storage, read> w: array<vec4f>;
#else
@group(0) @binding(2) var<storage, read> w: array<f32>;
#endif
#endif
#endif
