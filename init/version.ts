/** Version of bottled; the build puts that of package.json in its place. */
export const VERSION = process.env.BOTTLED_VERSION ?? 'development';
