cwlVersion: v1.2
class: CommandLineTool
label: Segmentation with StarDist and U-Net
doc: Segments nuclei with StarDist, or any objects with a U-Net that was trained before.
baseCommand:
- finetune
- plugin
- run
- inference-stardist-unet
hints:
  DockerRequirement:
    dockerPull: wipp/wipp-inference-stardist-unet-plugin:1.2.3
  ResourceRequirement:
    ramMin: 4096
    coresMin: 2
  NetworkAccess:
    networkAccess: true
inputs:
  imageDir:
    type: Directory
    label: Images to segment
    doc: Microscopy images, one file each. All have the same channels.
    inputBinding:
      prefix: --imageDir
  filePattern:
    type: string?
    label: File name pattern
    doc: 'Only files whose whole name matches are used: a regular expression, in which {r:ddd} stands
      for three digits. .* uses all files.'
    default: .*
    inputBinding:
      prefix: --filePattern
  model:
    type:
    - 'null'
    - type: enum
      symbols:
      - 2D_versatile_fluo
      - 2D_paper_dsb2018
      - unet
    label: Model
    doc: The models named 2D find nuclei. Choose unet for a U-Net in a model folder.
    default: 2D_versatile_fluo
    inputBinding:
      prefix: --model
  modelDir:
    type: Directory?
    label: Model folder
    doc: A fine-tuned model, or weights that were downloaded before. It replaces the published 
      model.
    inputBinding:
      prefix: --modelDir
  symmetries:
    type:
    - 'null'
    - type: enum
      symbols:
      - YES
      - NO
    label: Average over rotations
    doc: Average the prediction over 8 rotations and reflections; takes 8 times as long.
    default: NO
    inputBinding:
      prefix: --symmetries
arguments:
- prefix: --outputDir
  valueFrom: outputDir
outputs:
  outputDir:
    type: Directory
    doc: 0 is background, each object has a number of its own.
    outputBinding:
      glob: outputDir
