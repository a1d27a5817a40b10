/** A text that kills the shard process that decodes it, as content that exhausts the memory would. */
export const poison = "a text that kills the process that decodes it";
