"""Scores of a checkpoint on held-out pieces: `python -m benchmarks.held_out CORPUS ... [--checkpoint DIR] [--split test]`.

The mean spectrogram, the baseline, is that of each corpus's own training split.  Prints a table, and a line a song.
"""

import argparse
import json
import platform
import time

import jax
from tqdm import tqdm

from mt3_synth.data.songs import read_corpus
from mt3_synth.evaluation.held_out import MEASURES, average, mean_spectrum, measure_constant, play_and_measure, table
from mt3_synth.pipeline import SpectrogramDiffusionPipeline


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('corpora', nargs='+')
  parser.add_argument('--checkpoint')
  parser.add_argument('--split', default='test')
  parser.add_argument('--steps', type=int)
  parser.add_argument('--out', help='a JSON file')
  args = parser.parse_args()
  pipeline = SpectrogramDiffusionPipeline.from_pretrained(args.checkpoint)
  mel, rows, songs_of = pipeline.config.mel, [], {}
  for corpus in args.corpora:
    songs = read_corpus(corpus, args.split)
    mean = average(measure_constant(mean_spectrum(read_corpus(corpus, 'train'), mel), songs, mel))
    start, scores = time.perf_counter(), {}
    play = lambda notes: pipeline(notes, num_inference_steps=args.steps)
    for song, _, score in tqdm(play_and_measure(play, songs, mel), total=len(songs), desc=corpus):
      scores[song.name] = score
    model = average(list(scores.values()))
    seconds = sum(len(song.audio) for song in songs) / mel.sample_rate
    rows.append({'corpus': corpus, 'songs': len(songs), 'seconds': round(seconds), 'model': 'per-band mean'} | mean | {'below mean': 0.0})
    below = 1 - model[MEASURES[0]] / mean[MEASURES[0]]
    rows.append({'corpus': corpus, 'songs': len(songs), 'seconds': round(seconds), 'model': 'checkpoint'} | model | {'below mean': below})
    songs_of[corpus] = scores | {'wall seconds': time.perf_counter() - start}
    print('\n'.join(f'{name}: ' + ', '.join(f'{key} {value:.3f}' for key, value in score.items()) for name, score in scores.items()))
  print(table(rows))
  if args.out:
    device = f'{jax.devices()[0].device_kind}, {platform.machine()}'
    with open(args.out, 'w') as file:
      json.dump({'rows': rows, 'songs': songs_of, 'device': device, 'jax': jax.__version__, 'steps': args.steps}, file, indent=2)


if __name__ == '__main__':
  main()
