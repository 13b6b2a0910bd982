/**
 * The bundler puts this in front of every door. So each of them needs all that the main one does, which makes of it one
 * chunk, in place of one for each set of doors: a dozen files, of which each took most of a millisecond to find and read.
 */
import './index.js'
