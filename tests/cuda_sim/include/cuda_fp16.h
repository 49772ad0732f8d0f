#pragma once
#include "device.h"

typedef _Float16 __half;
struct __half2 { __half x, y; };

inline float2 __half22float2(__half2 pair) { return {float(pair.x), float(pair.y)}; }
inline __half2 __floats2half2_rn(float x, float y) { return {__half(x), __half(y)}; }
