#!/usr/bin/env bash
# Fetches the votes of CREMA-D into a folder, by the commit that the board's manifest is of, without
# any audio: what `ambi validate` needs to recompute an entry. CREMA_D_ROOT then names the folder.
set -euo pipefail

folder=${1:?usage: fetch_crema_d_votes.sh FOLDER}
commit=1658cd342dff90010aa843eaeebd53610a08b1dc

export GIT_LFS_SKIP_SMUDGE=1
git init --quiet "$folder"
cd "$folder"
git remote add origin https://github.com/CheyneyComputerScience/CREMA-D
git sparse-checkout set --no-cone /processedResults/tabulatedVotes.csv /finishedResponses.csv /VideoDemographics.csv
git fetch --quiet --depth 1 --filter=blob:none origin "$commit"
git checkout --quiet FETCH_HEAD
test -s processedResults/tabulatedVotes.csv
