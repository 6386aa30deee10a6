/** The two ways in which a function that somebody else wrote can fail, for `test.each`. */
export const FAILING: readonly (readonly [
  way: string,
  fail: (error: unknown) => Promise<never>,
])[] = [
  [
    "throws",
    (error) => {
      throw error;
    },
  ],
  ["rejects", (error) => Promise.reject(error)],
];
