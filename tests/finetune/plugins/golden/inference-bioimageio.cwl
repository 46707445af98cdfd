cwlVersion: v1.2
class: CommandLineTool
label: Segmentation with BioImage.IO
doc: Segments images with a model of the BioImage Model Zoo.
baseCommand:
- finetune
- plugin
- run
- inference-bioimageio
hints:
  DockerRequirement:
    dockerPull: wipp/wipp-inference-bioimageio-plugin:1.2.3
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
    type: string?
    label: Model
    doc: Id, nickname or DOI of the model in the BioImage Model Zoo, such as affable-shark. Leave it
      empty to use a model folder.
    inputBinding:
      prefix: --model
  modelDir:
    type: Directory?
    label: Model folder
    doc: A fine-tuned model, or weights that were downloaded before. It replaces the published 
      model.
    inputBinding:
      prefix: --modelDir
  target:
    type: string?
    label: Output of the model
    doc: How the output of the model becomes objects. Leave it empty unless a message asks for it.
    inputBinding:
      prefix: --target
  trust:
    type:
    - 'null'
    - type: enum
      symbols:
      - YES
      - NO
    label: Trust the model's code
    doc: Allow TorchScript that could read or write files.
    default: NO
    inputBinding:
      prefix: --trust
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
