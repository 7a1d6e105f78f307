// libm: every function over a table of ordinary and special arguments, with the value to the last bit, errno and the
// exceptions raised; in each rounding mode; float, double and long double; and the floating-point environment.
// km-test: links=static-musl,dynamic-musl,static-kontain,dynamic-kontain
// km-test: truth=static-musl
#include "libc.h"
#include <complex.h>
#include <fenv.h>
#include <float.h>
#include <math.h>

#define ALL(name) {#name, name, name##f, name##l}
static const struct { const char *name; double (*d)(double); float (*f)(float); long double (*l)(long double); } unary[] = {
    ALL(acos),  ALL(acosh), ALL(asin),  ALL(asinh),  ALL(atan),   ALL(atanh), ALL(cbrt),  ALL(ceil),      ALL(cos),
    ALL(cosh),  ALL(erf),   ALL(erfc),  ALL(exp),    ALL(exp10),  ALL(exp2),  ALL(expm1), ALL(fabs),      ALL(floor),
    ALL(lgamma), ALL(log),  ALL(log10), ALL(log1p),  ALL(log2),   ALL(logb),  ALL(pow10), ALL(nearbyint), ALL(rint),
    ALL(round), ALL(sin),   ALL(sinh),  ALL(sqrt),   ALL(tan),    ALL(tanh),  ALL(tgamma), ALL(trunc),
    {"j0", j0, j0f, NULL}, {"j1", j1, j1f, NULL}, {"y0", y0, y0f, NULL}, {"y1", y1, y1f, NULL},
    {"significand", significand, significandf, NULL}};

static const struct { const char *name; double (*d)(double, double); float (*f)(float, float); long double (*l)(long double,
    long double); } binary[] = {
    ALL(atan2), ALL(copysign), ALL(fdim), ALL(fmax), ALL(fmin), ALL(fmod), ALL(hypot), ALL(nextafter), ALL(pow),
        ALL(remainder),
    {"scalb", scalb, scalbf, NULL}, {"drem", drem, dremf, NULL}};

static const double ordinary[] = {
    0.0,   -0.0,  1.0,    -1.0,    0.5,    -0.5,   1.5,     2.5,     -2.5,     3.0,     -3.0,   10.0,     0.1,   1e-10,
        -1e-10,
    0.7,   0.99,  1.0000001, M_PI, M_PI_2, -M_PI_4, 7.5,    20.25,   -20.25,   88.7,    100.0,  -103.5,   170.6, 171.7, 709.7,
    -745.2, 1000.0, 4503599627370497.5, 9007199254740993.0, -2147483648.5, 9.3e18, 1e22, 1e300, -1e300, DBL_MAX, DBL_MIN,
    4.9e-324, -3e-310, FLT_MAX, 1e-40, INFINITY, -INFINITY, NAN, 33.0, -7.0, -0.9999, 2.404825557695773};

static const int modes[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};

// What has been raised, a letter each.
static const char *raised(void)
{
    static char text[8];
    static const int bits[] = {FE_INVALID, FE_DIVBYZERO, FE_OVERFLOW, FE_UNDERFLOW, FE_INEXACT};
    char *end = text;
    for (size_t i = 0; i < COUNT(bits); i++)
        if (fetestexcept(bits[i]))
            *end++ = "VZOUI"[i];
    *end = 0;
    return text;
}

static void begin(int mode)
{
    errno = 0;
    feclearexcept(FE_ALL_EXCEPT);
    fesetround(mode);
}

// Ends a computation before its result is printed, which would raise exceptions of its own.
static const char *end(void)
{
    static char text[32];
    const char *exceptions = raised();
    snprintf(text, sizeof text, errno ? "%s errno %d" : "%s", exceptions, errno);
    fesetround(FE_TONEAREST);
    return text;
}

static uint32_t sum_of(uint32_t sum, const void *at, size_t n)
{
    return sum_bytes(sum_bytes(sum, at, n), raised(), strlen(raised()));
}

static void one_argument(void)
{
    for (size_t i = 0; i < COUNT(unary); i++) {
        for (size_t a = 0; a < COUNT(ordinary); a++) {
            volatile double d = ordinary[a];
            volatile float f = (float)d;
            volatile long double l = d;
            begin(FE_TONEAREST);
            d = unary[i].d(d);
            printf("%s(%g) = %a %s", unary[i].name, ordinary[a], d, end());
            begin(FE_TONEAREST);
            f = unary[i].f(f);
            printf(", %a %s", (double)f, end());
            if (unary[i].l) {
                begin(FE_TONEAREST);
                l = unary[i].l(l);
                printf(", %La %s", l, end());
            }
            putchar('\n');
        }
        // In the other modes a sum for each type must do.
        for (size_t m = 1; m < COUNT(modes); m++) {
            uint32_t sum[3] = {SUM, SUM, SUM};
            for (size_t a = 0; a < COUNT(ordinary); a++) {
                volatile double d = ordinary[a];
                volatile float f = (float)d;
                volatile long double l = d;
                begin(modes[m]);
                d = unary[i].d(d);
                sum[0] = sum_of(sum[0], (void *)&d, sizeof d);
                begin(modes[m]);
                f = unary[i].f(f);
                sum[1] = sum_of(sum[1], (void *)&f, sizeof f);
                begin(modes[m]);
                l = unary[i].l ? unary[i].l(l) : l;
                sum[2] = sum_of(sum[2], (void *)&l, 10);
            }
            printf("%s in mode %zu: %08x %08x %08x %s\n", unary[i].name, m, sum[0], sum[1], sum[2], end());
        }
    }
}

static void two_arguments(void)
{
    for (size_t i = 0; i < COUNT(binary); i++)
        for (size_t a = 0; a < COUNT(ordinary); a++) {
            // All second arguments in a sum, and one of them in full.
            uint32_t sum[3] = {SUM, SUM, SUM};
            size_t chosen = (a * 7 + i) % COUNT(ordinary);
            for (size_t b = 0; b < COUNT(ordinary); b++)
                for (size_t m = 0; m < (b == chosen ? COUNT(modes) : 1); m++) {
                    volatile double d = ordinary[a], d2 = ordinary[b];
                    volatile float f = (float)d, f2 = (float)d2;
                    volatile long double l = d, l2 = d2;
                    begin(modes[m]);
                    d = binary[i].d(d, d2);
                    sum[0] = sum_of(sum[0], (void *)&d, sizeof d);
                    if (b == chosen && m == 0) {
                        printf("%s(%g, %g) = %a %s;", binary[i].name, ordinary[a], ordinary[b], d, end());
                    }
                    begin(modes[m]);
                    f = binary[i].f(f, f2);
                    sum[1] = sum_of(sum[1], (void *)&f, sizeof f);
                    begin(modes[m]);
                    l = binary[i].l ? binary[i].l(l, l2) : l;
                    sum[2] = sum_of(sum[2], (void *)&l, 10);
                    end();
                }
            printf(" %08x %08x %08x\n", sum[0], sum[1], sum[2]);
        }
}

// Those of other forms.
static void other_forms(void)
{
    for (size_t a = 0; a < COUNT(ordinary); a++) {
        volatile double d = ordinary[a];
        volatile float f = (float)d;
        volatile long double l = d;
        int e = 0, q = 0, sign = 0;
        double whole, s, c;
        long double wholel, sl, cl;
        // musl leaves the exponent of what is not finite alone.
        printf("%g: frexp %a %d", d, frexp(d, &e), isfinite(d) ? e : 0);
        printf(", %La %d", frexpl(l, &e), isfinite(d) ? e : 0);
        double part = modf(d, &whole);
        long double partl = modfl(l, &wholel);
        printf(", modf %a %a %La %La", part, whole, partl, wholel);
        begin(FE_TONEAREST);
        sincos(d, &s, &c);
        printf(", sincos %a %a %s", s, c, end());
        sincosl(l, &sl, &cl);
        printf(" %La %La", sl, cl);
        double r = remquo(d, 0.7, &q);
        printf(", remquo %a %d", r, isfinite(d) ? q & 7 : 0);
        r = lgamma_r(d, &sign);
        printf(", lgamma_r %a %d\n", r, sign);
        begin(FE_TONEAREST);
        printf("  ilogb %d %d %d %s,", ilogb(d), ilogbf(f), ilogbl(l), end());
        for (size_t m = 0; m < COUNT(modes); m++) {
            begin(modes[m]);
            long v1 = lrint(d), v2 = lround(d), v3 = lrintf(f), v4 = lroundl(l);
            long long v5 = llrintl(l), v6 = llround(d);
            printf(" lrint %ld %ld %ld %ld %lld %lld %s", v1, v2, v3, v4, v5, v6, end());
        }
        // Of two NaNs, the compiler chooses which is passed on: nowhere here are there two of different sign.
        printf("\n  class %d %d %d sign %d %d, ldexp %a %a, scalbln %La, jn %a yn %a, fma %a %La %a, nexttoward %a %a\n",
               fpclassify(d), fpclassify(f), fpclassify(l), !!signbit(d), !!signbit(l), ldexp(d, 70), ldexp(d, -1100),
               scalblnl(l, -16000), jn(3, d), yn(-2, d), fma(d, 1.1, isnan(d) ? 0 : -d), fmal(l, 3, 1 / 3.0L),
                   (double)fmaf(f, f, f),
               nexttoward(d, 1e4000L), nexttoward(d, -1));
        printf("  unordered %d %d, greater %d, less %d, %d\n", isunordered(d, 1.0), isunordered(d, NAN), isgreater(d, 0.5),
               islessequal(d, 1.5), islessgreater(d, 2.5));
    }
    printf("%a %a %La\n", nan(""), nan("0x12"), nanl("7"));
    printf("%a %a\n", pow(2, 0.5), exp(1));
}

// These add NaNs of both signs, and which one is passed on was the choice of whoever compiled the library.
static double complex unsigned_nans(double complex v)
{
    return CMPLX(isnan(creal(v)) ? NAN : creal(v), isnan(cimag(v)) ? NAN : cimag(v));
}

static void complexes(void)
{
    static double complex (*const functions[])(double complex) = {cacos, cacosh, casin, casinh, catan, catanh, ccos,  ccosh,
        cexp,
                                                                   clog,  csin,   csinh, csqrt,  ctan,  ctanh,  cproj, conj};
    static const double parts[] = {0.0, -0.0, 1.0, -2.5, 0.3, 1e200, 1e-200, INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < COUNT(functions); i++)
        for (size_t re = 0; re < COUNT(parts); re++) {
            uint32_t sum = SUM;
            double complex v = 0;
            for (size_t im = 0; im < COUNT(parts); im++) {
                volatile double complex z = CMPLX(parts[re], parts[(im + re) % COUNT(parts)]);
                v = unsigned_nans(functions[i](z));
                sum = sum_bytes(sum, &v, sizeof v);
            }
            printf("complex %zu %g: %a %a %08x\n", i, parts[re], creal(v), cimag(v), sum);
        }
    volatile double complex z = CMPLX(1.5, -0.5), w = CMPLX(-0.25, 2);
    double complex p = cpow(z, w);
    long double complex l = cexpl(z);
    printf("%a %a %a %a %La %La\n", creal(p), cimag(p), cabs(z), carg(w), creall(l), cimagl(l));
}

static void environment(void)
{
    fenv_t saved, held;
    fexcept_t flags;
    volatile double one = 1, three = 3, zero = 0;
    feclearexcept(FE_ALL_EXCEPT);
    printf("cleared <%s>\n", raised());
    INT(feraiseexcept(FE_OVERFLOW | FE_DIVBYZERO));
    printf("raised <%s>\n", raised());
    INT(fegetexceptflag(&flags, FE_ALL_EXCEPT));
    INT(feclearexcept(FE_OVERFLOW));
    printf("one cleared <%s>\n", raised());
    INT(fesetexceptflag(&flags, FE_OVERFLOW));
    printf("set again <%s>\n", raised());
    INT(fesetround(FE_UPWARD));
    INT(fegetenv(&saved));
    INT(feholdexcept(&held));
    printf("held <%s> mode %d\n", raised(), fegetround());
    volatile double third = one / three;
    printf("<%s> %a\n", raised(), third);
    volatile double infinite = one / zero;
    printf("<%s> %a\n", raised(), infinite);
    INT(fesetenv(FE_DFL_ENV));
    printf("default <%s> mode %d\n", raised(), fegetround());
    volatile long double thirdl = (long double)one / three;
    printf("<%s> %La\n", raised(), thirdl);
    INT(feupdateenv(&held));
    printf("updated <%s> mode %d\n", raised(), fegetround());
    thirdl = (long double)one / three;
    third = one / three;
    printf("upward %a %La\n", third, thirdl);
    INT(fesetenv(&saved));
    INT(fesetround(12345));
    INT(fegetround());
    fesetenv(FE_DFL_ENV);
    printf("%d %d %a %a\n", FLT_EVAL_METHOD, FLT_ROUNDS, (double)FLT_EPSILON, DBL_EPSILON);
}

int main(void)
{
    one_argument();
    two_arguments();
    other_forms();
    complexes();
    environment();
    return 0;
}
