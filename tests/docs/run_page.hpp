#pragma once

#include <string_view>

namespace fathom::test {

/// What became of the lines of a page's `sh` blocks.
struct PageRun {
  int run = 0;
  int not_run = 0;  // each says why
};

/// Runs a page in a scratch copy of the repository's root, top to bottom, as its reader would:
///
/// - ```` ```sh ````: every line must end with exit code 0, or with N where its comment says `exit
/// N`.
///   A line whose comment begins with `not run: REASON`, and a block opened by ```` ```sh not run:
///   REASON ````, is counted instead. Other programs than fathom, cp, mkdir, cat and sed are
///   not run and have to say so.
/// - ```` ```text exact ````: what the block before printed, whole; where a line is `…`, anything
/// may
///   stand in its place. FATHOM_UPDATE_GOLDEN=1 rewrites whole ones, in the Chinese page too.
/// - ```` ```json file=NAME ````, csv likewise: the reader's file NAME.
PageRun run_page(std::string_view path);

}  // namespace fathom::test
