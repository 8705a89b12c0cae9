/** The version of bottled: put in when it is bundled, `dev` from source. */
export const VERSION = process.env.BOTTLED_VERSION ?? 'dev';
