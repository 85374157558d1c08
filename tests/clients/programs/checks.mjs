// What every program here uses: where the gateway is, and `check`, which runs a function and says how it went.
// See checks.py.

export const url = process.env.CALLGATE_URL;
export const key = process.env.CALLGATE_KEY;
export const say = "Hello there, old friend";

export async function check(name, run) {
  let failed = null;
  try {
    await run();
  } catch (failure) {
    console.error(failure);
    failed = String(failure).slice(0, 300);
  }
  console.log(JSON.stringify({ check: name, failed }));
}

/** The error that it must throw. */
export async function thrown(run) {
  try {
    await run();
  } catch (failure) {
    return failure;
  }
  throw new Error("nothing was thrown");
}
