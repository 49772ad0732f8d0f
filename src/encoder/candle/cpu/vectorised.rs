//! Loops compiled for the widest instructions of the machine, chosen as the program runs.

/// Defines a function whose body [`pulp`] compiles once for each level of instructions (SSE2, AVX2, AVX-512, …).
///
/// A closure given to [`pulp::Arch::dispatch`] is not enough: unless the compiler happens to inline it, it stays a
/// function of its own, compiled for the oldest processor. Lifetimes are written as `'a`; what the body calls must be
/// `#[inline(always)]`.
macro_rules! vectorised {
    ($(#[$attribute:meta])* $visibility:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$attribute])*
        $visibility fn $name<'a>($($argument: $type),*) {
            struct Work<'a> {
                $($argument: $type,)*
                lifetime: std::marker::PhantomData<&'a ()>,
            }
            impl pulp::WithSimd for Work<'_> {
                type Output = ();

                #[inline(always)]
                fn with_simd<S: pulp::Simd>(self, _: S) {
                    let Self { $($argument,)* lifetime: _ } = self;
                    $body
                }
            }
            pulp::Arch::new().dispatch(Work { $($argument,)* lifetime: std::marker::PhantomData });
        }
    };
}

pub(in super::super) use vectorised;
