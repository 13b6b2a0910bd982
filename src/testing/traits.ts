/** What can be asked of a log under test. */
export interface EventLogTraits {
  /** Opened twice for one registry, it is two nodes that share it. @default false */
  readonly nodes?: boolean
  /** It keeps what is appended with a key once. @default true */
  readonly keys?: boolean
  /**
   * Cuts all connections of the log's nodes, so that what is on its way is lost; they may be made again at once. With
   * it, and many nodes, the tests see that nothing is lost and nothing kept twice.
   * @default none: there is nothing to cut
   */
  readonly interrupt?: () => Promise<void> | void
  /**
   * Takes all that the log has kept away from under its nodes, as where its server starts again without its data.
   * @default none: it cannot be lost while a node lives
   */
  readonly lose?: () => Promise<void> | void
}
