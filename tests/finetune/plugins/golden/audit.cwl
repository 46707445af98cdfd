cwlVersion: v1.2
class: CommandLineTool
label: Audit of a fine-tuned model
doc: Compares every claim of a model card with the files, images and results of a model.
baseCommand:
- finetune
- plugin
- run
- audit
hints:
  DockerRequirement:
    dockerPull: wipp/wipp-audit-plugin:1.2.3
  ResourceRequirement:
    ramMin: 4096
    coresMin: 2
inputs:
  modelDir:
    type: Directory
    label: Model
    doc: A model that finetune trained.
    inputBinding:
      prefix: --modelDir
  imageDir:
    type: Directory?
    label: Training images
    doc: To compare them with the record.
    inputBinding:
      prefix: --imageDir
  maskDir:
    type: Directory?
    label: Training masks
    doc: Label images of the training images.
    inputBinding:
      prefix: --maskDir
  testImageDir:
    type: Directory?
    label: Test images
    doc: To compare them with the record, and to measure the accuracy again.
    inputBinding:
      prefix: --testImageDir
  testMaskDir:
    type: Directory?
    label: Test masks
    doc: Label images of the test images.
    inputBinding:
      prefix: --testMaskDir
  filePattern:
    type: string?
    label: File name pattern
    doc: 'Only files whose whole name matches are used: a regular expression, in which {r:ddd} stands
      for three digits. .* uses all files.'
    default: .*
    inputBinding:
      prefix: --filePattern
  recompute:
    type:
    - 'null'
    - type: enum
      symbols:
      - YES
      - NO
    label: Run the model again
    doc: Run the model again and compare its results.
    default: NO
    inputBinding:
      prefix: --recompute
  failOnBroken:
    type:
    - 'null'
    - type: enum
      symbols:
      - YES
      - NO
    label: Stop the workflow at a broken claim
    doc: 'YES: the job fails if a claim is broken. NO: the result is in the table only.'
    default: NO
    inputBinding:
      prefix: --failOnBroken
arguments:
- prefix: --claims
  valueFrom: claims
outputs:
  claims:
    type: Directory
    doc: 'claims.csv: one row per claim.'
    outputBinding:
      glob: claims
