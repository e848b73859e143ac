"""Sixteen numbers as one: a vector type for Numba, so that what is written for one cell is computed for a tile.

PyPI's Numba has no vector `exp`, and a loop that calls one stays scalar: a ten Tusscher-Panfilov step written plainly
costs 300 to 400 ns per node. Leaving the vectors to the compiler works, but only as long as nothing in the loop
offends it (a known trip count, a negative index, two views that might overlap), and on processors with 512-bit
registers it still chooses 256. Here a vector is a value with `+ - * /`, comparisons, `where`, `exp`, `log`, `sqrt`:
what is written is what is computed.

In compiled code `tile(cells, t)` is a row of a 2-D array from which ``cell[k]`` takes 16 numbers; in the interpreter
the same function runs on a plain row, one number at a time. So `exp` and the like are ordinary functions too.

`exp` and `log` are polynomials after the Cephes library (S. L. Moshier), with the exponent set and read by a bit
cast: no branch, no table, no call. No `fastmath`: results must not depend on the machine or on how a loop is cut into
threads. Where a fused multiply-add is meant it is written.
"""

from __future__ import annotations

import math
import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, models, overload, register_model

ROUNDING_SINGLE = 1.5 * 2.0**23
"""What is added to a float32 leaves its last bits to count ones."""
LANES = 16
"""Numbers in a vector: 512 bits of float32."""


class Lanes(types.Type):
    """16 numbers of one type."""

    def __init__(self, dtype: types.Float) -> None:
        self.dtype = dtype
        super().__init__(name=f"lanes({dtype})")


class Mask(types.Type):
    """16 truth values from a comparison of lanes of a type."""

    def __init__(self, dtype: types.Float) -> None:
        self.dtype = dtype
        super().__init__(name=f"mask({dtype})")


class Tile(types.Type):
    """A row of an array, read and written 16 numbers at a time."""

    def __init__(self, dtype: types.Float) -> None:
        self.dtype = dtype
        super().__init__(name=f"tile({dtype})")


def _real(dtype):
    return ir.FloatType() if dtype == types.float32 else ir.DoubleType()


def _vector(dtype):
    return ir.VectorType(_real(dtype), LANES)


def _integers(dtype):
    return ir.VectorType(ir.IntType(dtype.bitwidth), LANES)


def _model(kind, backend):
    @register_model(kind)
    class Model(models.PrimitiveModel):
        def __init__(self, manager, numba_type):
            super().__init__(manager, numba_type, backend(numba_type.dtype))


_model(Lanes, _vector)
_model(Mask, lambda dtype: ir.VectorType(ir.IntType(1), LANES))
_model(Tile, lambda dtype: _real(dtype).as_pointer())


def _splat(context, builder, value, kind, dtype):
    """A value as a vector: itself, or 16 times the same number."""
    if isinstance(kind, Lanes):
        return value
    number = context.cast(builder, value, kind, dtype)
    return _repeated(builder, number)


def _repeated(builder, number):
    empty = ir.Constant(ir.VectorType(number.type, LANES), ir.Undefined)
    one = builder.insert_element(empty, number, ir.IntType(32)(0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def _dtype(args):
    return next(a.dtype for a in args if isinstance(a, Lanes | Mask))


def _define(function, emit, result=Lanes):
    """Give an operator or builtin a meaning for lanes (and numbers beside them)."""

    @infer_global(function)
    class Template(AbstractTemplate):
        def generic(self, args, kws):
            lanes = any(isinstance(a, Lanes) for a in args)
            if lanes and all(isinstance(a, Lanes | types.Number) for a in args):
                return signature(result(_dtype(args)), *args)
            return None

    def lower(context, builder, sig, args):
        dtype = _dtype(sig.args)
        return emit(builder, *(_splat(context, builder, a, k, dtype) for a, k in zip(args, sig.args, strict=True)))

    for kinds in ((Lanes,), (Lanes, Lanes), (Lanes, types.Number), (types.Number, Lanes)):
        if (function, *kinds) != (operator.truediv, Lanes, types.Number):
            lower_builtin(function, *kinds)(lower)


@lower_builtin(operator.truediv, Lanes, types.Number)
def _lower_division_by_number(context, builder, sig, args):
    """Times the reciprocal, which for a constant is one too: a division takes as long as five other operations."""
    divisor = context.cast(builder, args[1], sig.args[1], types.float64)
    reciprocal = builder.fdiv(ir.DoubleType()(1.0), divisor)
    return builder.fmul(args[0], _splat(context, builder, reciprocal, types.float64, sig.args[0].dtype))


def _named(name, n_arguments=1):
    """An LLVM intrinsic of vectors."""

    def emit(builder, *args):
        kind = args[0].type
        suffix = f"v{LANES}{'f32' if isinstance(kind.element, ir.FloatType) else 'f64'}"
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(kind, [kind] * n_arguments), f"llvm.{name}.{suffix}"
        )
        return builder.call(function, args)

    return emit


_define(operator.add, lambda b, x, y: b.fadd(x, y))
_define(operator.sub, lambda b, x, y: b.fsub(x, y))
_define(operator.mul, lambda b, x, y: b.fmul(x, y))
_define(operator.truediv, lambda b, x, y: b.fdiv(x, y))
_define(operator.neg, lambda b, x: b.fneg(x))
_define(abs, _named("fabs"))
_define(operator.lt, lambda b, x, y: b.fcmp_ordered("<", x, y), Mask)
_define(operator.gt, lambda b, x, y: b.fcmp_ordered(">", x, y), Mask)
_define(operator.le, lambda b, x, y: b.fcmp_ordered("<=", x, y), Mask)
_define(operator.ge, lambda b, x, y: b.fcmp_ordered(">=", x, y), Mask)
_define(operator.eq, lambda b, x, y: b.fcmp_ordered("==", x, y), Mask)
_define(operator.ne, lambda b, x, y: b.fcmp_unordered("!=", x, y), Mask)


def _define_logic(function, emit):
    """Both or either of two masks, as `&` and `|` have it for truth values in the interpreter."""

    @infer_global(function)
    class Template(AbstractTemplate):
        def generic(self, args, kws):
            same = len(args) == 2 and isinstance(args[0], Mask) and args[0] == args[1]
            return signature(args[0], *args) if same else None

    lower_builtin(function, Mask, Mask)(lambda context, builder, sig, args: emit(builder, *args))


_define_logic(operator.and_, lambda b, x, y: b.and_(x, y))
_define_logic(operator.or_, lambda b, x, y: b.or_(x, y))


@infer_global(operator.getitem)
class _TileItem(AbstractTemplate):
    def generic(self, args, kws):
        return signature(Lanes(args[0].dtype), args[0], types.intp) if isinstance(args[0], Tile) else None


@infer_global(operator.setitem)
class _SetTileItem(AbstractTemplate):
    def generic(self, args, kws):
        if isinstance(args[0], Tile) and isinstance(args[2], Lanes):
            return signature(types.none, args[0], types.intp, args[2])
        return None


def _at(builder, start, offset, kind):
    return builder.bitcast(builder.gep(start, [offset]), kind.as_pointer())


@lower_builtin(operator.getitem, Tile, types.Integer)
def _lower_tile_item(context, builder, sig, args):
    return builder.load(_at(builder, *args, _vector(sig.args[0].dtype)), align=4)


@lower_builtin(operator.setitem, Tile, types.Integer, Lanes)
def _lower_set_tile_item(context, builder, sig, args):
    builder.store(args[2], _at(builder, *args[:2], _vector(sig.args[0].dtype)), align=4)
    return context.get_dummy_value()


def _row(context, builder, kind, array, number):
    """Pointer to the start of a row of a C-contiguous 2-D array, without counting a reference."""
    view = context.make_array(kind)(context, builder, array)
    return builder.gep(view.data, [builder.mul(number, builder.extract_value(view.shape, 1))])


@intrinsic
def tile(typingctx, array, number):
    """Row `number` of a C-contiguous 2-D array as a `Tile`."""

    def codegen(context, builder, sig, args):
        return _row(context, builder, sig.args[0], *args)

    return Tile(array.dtype)(array, types.intp), codegen


@intrinsic
def gathered(typingctx, values, index, number):
    """16 of the `values` (2-D, counted along the rows), at the places in row `number` of `index`, (n, 16) uint32."""

    def codegen(context, builder, sig, args):
        real, found, address = _real(values.dtype), _vector(values.dtype), ir.VectorType(ir.IntType(64), LANES)
        row = _row(context, builder, sig.args[1], args[1], args[2])
        places = builder.load(builder.bitcast(row, ir.VectorType(ir.IntType(32), LANES).as_pointer()), align=4)
        size = values.dtype.bitwidth // 8
        start = builder.ptrtoint(context.make_array(sig.args[0])(context, builder, args[0]).data, address.element)
        distance = builder.mul(builder.zext(places, address), ir.Constant(address, [size] * LANES))
        pointers = ir.VectorType(real.as_pointer(), LANES)
        all_of_them = ir.VectorType(ir.IntType(1), LANES)
        suffix = f"{'f32' if size == 4 else 'f64'}"
        gather = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(found, [pointers, ir.IntType(32), all_of_them, found]),
            f"llvm.masked.gather.v{LANES}{suffix}.v{LANES}p0{suffix}",
        )
        return builder.call(
            gather,
            [
                builder.inttoptr(builder.add(_repeated(builder, start), distance), pointers),
                ir.IntType(32)(size),
                ir.Constant(all_of_them, [1] * LANES),
                ir.Constant(found, ir.Undefined),
            ],
        )

    return Lanes(values.dtype)(values, index, types.intp), codegen


@intrinsic
def _fma(typingctx, a, b, c):
    dtype = _dtype((a, b, c))

    def codegen(context, builder, sig, args):
        return _named("fma", 3)(
            builder, *(_splat(context, builder, x, kind, dtype) for x, kind in zip(args, sig.args, strict=True))
        )

    return Lanes(dtype)(a, b, c), codegen


@intrinsic
def _select(typingctx, mask, a, b):
    def codegen(context, builder, sig, args):
        sides = [_splat(context, builder, x, kind, mask.dtype) for x, kind in zip(args[1:], sig.args[1:], strict=True)]
        return builder.select(args[0], *sides)

    return Lanes(mask.dtype)(mask, a, b), codegen


@intrinsic
def _llvm_sqrt(typingctx, x):
    return x(x), lambda context, builder, sig, args: _named("sqrt")(builder, *args)


@intrinsic
def _floor(typingctx, x):
    return x(x), lambda context, builder, sig, args: _named("floor")(builder, *args)


def _mantissa_bits(dtype):
    return 23 if dtype == types.float32 else 52


@intrinsic
def _power_of_two(typingctx, k):
    """2 to the power of whole numbers."""

    def codegen(context, builder, sig, args):
        integers = _integers(k.dtype)
        bias = 127 if k.dtype == types.float32 else 1023
        power = builder.add(builder.fptosi(args[0], integers), ir.Constant(integers, [bias] * LANES))
        shifted = builder.shl(power, ir.Constant(integers, [_mantissa_bits(k.dtype)] * LANES))
        return builder.bitcast(shifted, _vector(k.dtype))

    return k(k), codegen


@intrinsic
def _times_power_of_two(typingctx, x, rounded):
    """x 2^k in float32, k being in the last bits of a number that was rounded: added to the exponent of x."""

    def codegen(context, builder, sig, args):
        integers = _integers(x.dtype)
        x_bits, k_bits = (builder.bitcast(one, integers) for one in args)
        shifted = builder.shl(k_bits, ir.Constant(integers, [_mantissa_bits(x.dtype)] * LANES))
        return builder.bitcast(builder.add(x_bits, shifted), _vector(x.dtype))

    return x(x, rounded), codegen


@intrinsic
def _exponent(typingctx, x):
    """The k of x = m 2^k with m in [0.5, 1), for positive, normal numbers."""

    def codegen(context, builder, sig, args):
        integers = _integers(x.dtype)
        bias = 126 if x.dtype == types.float32 else 1022
        bits = builder.bitcast(args[0], integers)
        power = builder.lshr(bits, ir.Constant(integers, [_mantissa_bits(x.dtype)] * LANES))
        return builder.sitofp(builder.sub(power, ir.Constant(integers, [bias] * LANES)), _vector(x.dtype))

    return x(x), codegen


@intrinsic
def largest(typingctx, x):
    """The largest of 16 numbers that are not negative; NaN tops them all. Their bits order as they do."""

    def codegen(context, builder, sig, args):
        integers = _integers(x.dtype)
        reduce = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(integers.element, [integers]),
            f"llvm.vector.reduce.umax.v{LANES}i{x.dtype.bitwidth}",
        )
        return builder.bitcast(builder.call(reduce, [builder.bitcast(args[0], integers)]), _real(x.dtype))

    return x.dtype(x), codegen


@intrinsic
def anywhere(typingctx, mask):
    """Whether a mask holds in any lane."""

    def codegen(context, builder, sig, args):
        return builder.icmp_unsigned("!=", builder.bitcast(args[0], ir.IntType(LANES)), ir.IntType(LANES)(0))

    return types.boolean(mask), codegen


@intrinsic
def total(typingctx, x):
    """The sum of 16 numbers as float64: first of the two halves, then of their halves, always in this order."""

    def codegen(context, builder, sig, args):
        left = args[0] if x.dtype == types.float64 else builder.fpext(args[0], _vector(types.float64))
        count = LANES
        while count > 1:
            count //= 2
            halves = [
                ir.Constant(ir.VectorType(ir.IntType(32), count), [first + k for k in range(count)])
                for first in (0, count)
            ]
            undefined = ir.Constant(left.type, ir.Undefined)
            left = builder.fadd(*(builder.shuffle_vector(left, undefined, half) for half in halves))
        return builder.extract_element(left, ir.IntType(32)(0))

    return types.float64(x), codegen


@intrinsic
def differ_anywhere(typingctx, a, b):
    """Whether two masks differ in any lane."""

    def codegen(context, builder, sig, args):
        bits = builder.bitcast(builder.xor(*args), ir.IntType(LANES))
        return builder.icmp_unsigned("!=", bits, ir.IntType(LANES)(0))

    return types.boolean(a, b), codegen


# What a cell model calls: here for one number, below for 16.
exp, expm1, log, sqrt, floor, power = math.exp, math.expm1, math.log, math.sqrt, math.floor, math.pow


def fma(a, b, c):
    """a * b + c; rounded once in compiled code."""
    return a * b + c


def where(condition, a, b):
    """A select: both sides are evaluated, so both must be finite."""
    return a if condition else b


def minimum(a, b):
    """The smaller; b where a is NaN."""
    return a if a < b else b


def sigmoid(x):
    """1/(1 + exp(x))."""
    return 1.0 / (1.0 + exp(x))


def linoid(x):
    """x/(exp(x) - 1), which at 0 is 1: by its series within 0.1, where it errs by 4e-11 at most."""
    near = abs(x) < 0.1
    x_far = where(near, 1.0, x)
    x2 = x * x
    return where(near, 1.0 - 0.5 * x + x2 * (1.0 / 12.0 - x2 / 720.0), x_far / (exp(x_far) - 1.0))


def rush_larsen(gate, steady, rate, dt):
    """A gate after dt; exact while the potential stands still. 1/tau often is a product where tau is a quotient."""
    return steady + (gate - steady) * exp(-dt * rate)


def rush_larsen_slow(gate, steady, rate, dt):
    """The same for gates of a second, in single precision.

    There exp(-dt/tau) is rounded by 3e-8, which at dt 0.01 ms is 0.3 % of a tau of 1000 ms, in every step and always to
    the same side: two beats of Fenton and Karma's cell end 1.7 mV off, with this 0.2. It makes a step of ten Tusscher
    and Panfilov's 4 % dearer and gains it nothing, so that keeps the other.
    """
    return gate + (gate - steady) * expm1(-dt * rate)


def rush_larsen_series(gate, steady, rate, dt):
    """The same for gates whose time constant is 2 ms or more: by the series of exp, half as dear and exact.

    Within 1e-7 for a fifth of the time constant, within 2e-5 for half of it.
    """
    x = dt * rate
    return gate + (steady - gate) * (x * fma(x, fma(x, fma(x, fma(x, 1.0 / 120.0, -1.0 / 24.0), 1.0 / 6.0), -0.5), 1.0))


def apart(x, point):
    """x, but never within 0.002 of a point where an equation is 0/0, and in single precision noise beside it."""
    return where(abs(x - point) < 0.002, point + 0.002, x)


_INLINE = {"forceinline": True, "error_model": "numpy"}


@overload(fma, jit_options=_INLINE)
def _fma_lanes(a, b, c):
    return lambda a, b, c: _fma(a, b, c)


@overload(where, jit_options=_INLINE)
def _where_lanes(condition, a, b):
    return (lambda condition, a, b: _select(condition, a, b)) if isinstance(condition, Mask) else None


@overload(minimum, jit_options=_INLINE)
def _minimum_lanes(a, b):
    return lambda a, b: _select(a < b, a, b)


@overload(sigmoid, jit_options=_INLINE)
def _sigmoid_lanes(x):
    return sigmoid


@overload(linoid, jit_options=_INLINE)
def _linoid_lanes(x):
    return linoid


@overload(rush_larsen, jit_options=_INLINE)
def _rush_larsen_lanes(gate, steady, rate, dt):
    return rush_larsen


@overload(rush_larsen_slow, jit_options=_INLINE)
def _rush_larsen_slow_lanes(gate, steady, rate, dt):
    return rush_larsen_slow


@overload(rush_larsen_series, jit_options=_INLINE)
def _rush_larsen_series_lanes(gate, steady, rate, dt):
    return rush_larsen_series


@overload(apart, jit_options=_INLINE)
def _apart_lanes(x, point):
    return apart


@overload(math.sqrt, jit_options=_INLINE)
def _sqrt_lanes(x):
    return (lambda x: _llvm_sqrt(x)) if isinstance(x, Lanes) else None


@overload(math.floor, jit_options=_INLINE)
def _floor_lanes(x):
    return (lambda x: _floor(x)) if isinstance(x, Lanes) else None


@overload(math.pow, jit_options=_INLINE, prefer_literal=True)
def _power_lanes(a, b):
    """Products for a whole number that stands in the source, else exp(b log a); 0 to the power of anything is 0."""
    if not isinstance(a, Lanes):
        return (lambda a, b: exp(b * math.log(a))) if isinstance(b, Lanes) else None
    if isinstance(b, types.IntegerLiteral) and 0 < abs(b.literal_value) <= LONGEST_PRODUCT:
        return _product(b.literal_value)
    tiny = 1.1754943508222875e-38 if a.dtype == types.float32 else 2.2250738585072014e-308

    def power_of(a, b):
        answer = exp(b * log(where(a < tiny, 1.0, a)))
        return where(a < tiny, where(a < 0.0, math.nan, 0.0), answer)

    return power_of


LONGEST_PRODUCT = 16
"""The largest power that is multiplied out."""


def _product(n):
    def product(a, b):
        answer = a
        for _ in range(1, n):
            answer = answer * a
        return answer

    def reciprocal(a, b):
        answer = a
        for _ in range(1, -n):
            answer = answer * a
        return 1.0 / answer

    return product if n > 0 else reciprocal


@overload(math.exp, jit_options=_INLINE)
def _exp_lanes(x):
    if not isinstance(x, Lanes):
        return None
    return exp_single if x.dtype == types.float32 else exp_double


@overload(math.expm1, jit_options=_INLINE)
def _expm1_lanes(x):
    if not isinstance(x, Lanes):
        return None
    return expm1_single if x.dtype == types.float32 else expm1_double


@overload(math.log, jit_options=_INLINE)
def _log_lanes(x):
    if not isinstance(x, Lanes):
        return None
    return log_single if x.dtype == types.float32 else log_double


def exp_single(x):
    """exp(x) in float32 for x in [-87, 88], clamped outside; NaN stays NaN.

    Relative error below 1.8e-7 + 3e-9 |x|; that x itself is rounded makes 6e-8 |x|. The polynomial is the best of
    degree 5 that starts with 1 + x: exact at 0, and nearly so for a gate that hardly moves.
    """
    x = where(x > 88.0, 88.0, x)
    x = where(x < -87.0, -87.0, x)
    rounded = fma(x, 1.44269504, ROUNDING_SINGLE)
    r = fma(rounded - ROUNDING_SINGLE, -0.693147182464599609375, x)
    p = fma(fma(fma(8.312525227665901e-3, r, 4.1890114545822144e-2), r, 0.16667114198207855), r, 0.499992311000824)
    return _times_power_of_two(fma(fma(p, r, 1.0), r, 1.0), rounded)


def expm1_single(x):
    """exp(x) - 1 in float32, for the same x and as exact near 0 as elsewhere."""
    x = where(x > 88.0, 88.0, x)
    x = where(x < -87.0, -87.0, x)
    k = _floor(fma(x, 1.44269504, 0.5))
    r = fma(k, 2.12194440e-4, fma(k, -0.693359375, x))
    p = fma(fma(fma(1.9875691500e-4, r, 1.3981999507e-3), r, 8.3334519073e-3), r, 4.1665795894e-2)
    p = fma(fma(p, r, 1.6666665459e-1), r, 5.0000001201e-1)
    power = _power_of_two(k)
    return fma(fma(p * r, r, r), power, power - 1.0)


def exp_double(x):
    """exp(x) in float64 for x in [-708, 709], clamped outside; relative error below 4e-16. NaN stays NaN."""
    x = where(x > 709.0, 709.0, x)
    x = where(x < -708.0, -708.0, x)
    k = _floor(fma(x, 1.4426950408889634, 0.5))
    r = fma(k, -1.42860682030941723212e-6, fma(k, -6.93145751953125e-1, x))
    s = r * r
    p = r * fma(fma(1.26177193074810590878e-4, s, 3.02994407707441961300e-2), s, 9.99999999999999999910e-1)
    q = fma(fma(fma(3.00198505138664455042e-6, s, 2.52448340349684104192e-3), s, 2.27265548208155028766e-1), s, 2.0)
    return (1.0 + 2.0 * (p / (q - p))) * _power_of_two(k)


def expm1_double(x):
    """exp(x) - 1 in float64, for the same x and as exact near 0 as elsewhere."""
    x = where(x > 709.0, 709.0, x)
    x = where(x < -708.0, -708.0, x)
    k = _floor(fma(x, 1.4426950408889634, 0.5))
    r = fma(k, -1.42860682030941723212e-6, fma(k, -6.93145751953125e-1, x))
    s = r * r
    p = r * fma(fma(1.26177193074810590878e-4, s, 3.02994407707441961300e-2), s, 9.99999999999999999910e-1)
    q = fma(fma(fma(3.00198505138664455042e-6, s, 2.52448340349684104192e-3), s, 2.27265548208155028766e-1), s, 2.0)
    power = _power_of_two(k)
    return fma(2.0 * (p / (q - p)), power, power - 1.0)


def log_single(x):
    """log(x) of positive, normal float32; relative error below 2e-7. Zero and negative numbers have no answer here."""
    k = _exponent(x)
    m = x * _power_of_two(-k)  # in [0.5, 1)
    small = m < 0.707106781186547524
    e = where(small, k - 1.0, k)
    r = where(small, m + m, m) - 1.0
    s = r * r
    p = fma(fma(fma(7.0376836292e-2, r, -1.1514610310e-1), r, 1.1676998740e-1), r, -1.2420140846e-1)
    p = fma(fma(fma(p, r, 1.4249322787e-1), r, -1.6668057665e-1), r, 2.0000714765e-1)
    p = fma(fma(p, r, -2.4999993993e-1), r, 3.3333331174e-1)
    return fma(e, 0.693359375, r + (fma(e, -2.12194440e-4, p * r * s) - 0.5 * s))


def log_double(x):
    """log(x) of positive, normal float64, as 2 artanh((m - 1)/(m + 1)); relative error below 4e-16."""
    k = _exponent(x)
    m = x * _power_of_two(-k)
    small = m < 0.707106781186547524
    e = where(small, k - 1.0, k)
    m = where(small, m + m, m)
    z = (m - 1.0) / (m + 1.0)  # below 0.172, so the first term left out is below 1e-17
    s = z * z
    p = fma(fma(fma(1.0 / 21.0, s, 1.0 / 19.0), s, 1.0 / 17.0), s, 1.0 / 15.0)
    p = fma(fma(fma(p, s, 1.0 / 13.0), s, 1.0 / 11.0), s, 1.0 / 9.0)
    p = fma(fma(fma(p, s, 1.0 / 7.0), s, 1.0 / 5.0), s, 1.0 / 3.0)
    return fma(e, 0.693147180559945309, 2.0 * fma(p * s, z, z))
