cwlVersion: v1.2
$graph:
- id: fine-tune
  class: CommandLineTool
  label: Fine-tuning of a segmentation model
  doc: Trains a published segmentation model further on images with masks, measures its accuracy on 
    test images before and after, and writes model cards.
  baseCommand:
  - finetune
  - plugin
  - run
  - fine-tune
  hints:
    DockerRequirement:
      dockerPull: wipp/wipp-fine-tune-plugin:1.2.3
    ResourceRequirement:
      ramMin: 8192
      coresMin: 2
    NetworkAccess:
      networkAccess: true
  inputs:
    imageDir:
      type: Directory
      label: Training images
      doc: The images to learn from.
      inputBinding:
        prefix: --imageDir
    maskDir:
      type: Directory
      label: Training masks
      doc: 'Label images with the same names: 0 is background, each object has its own label.'
      inputBinding:
        prefix: --maskDir
    testImageDir:
      type: Directory?
      label: Test images
      doc: Images to measure the accuracy on. Without them, a tenth of the training images is set 
        aside.
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
    labels:
      type:
      - 'null'
      - type: enum
        symbols:
        - instances
        - foreground
        - boundary
      label: Content of the masks
      doc: 'instances: each object has its own label. foreground or boundary: all pixels that are not
        0.'
      default: instances
      inputBinding:
        prefix: --labels
    model:
      type: string?
      label: Model to start from
      doc: 'A published model. wipp:unet is trained from scratch and needs no download. One of: wipp:unet,
        bioimageio:affable-shark, cellpose:cyto3, cellpose:cyto2, cellpose:cyto, cellpose:nuclei, cellpose:cyto2_cp3,
        cellpose:tissuenet_cp3, cellpose:livecell_cp3, cellpose:yeast_PhC_cp3, cellpose:yeast_BF_cp3,
        cellpose:bact_phase_cp3, cellpose:bact_fluor_cp3, cellpose:deepbacs_cp3, cellpose:CP, cellpose:CPx,
        cellpose:TN1, cellpose:TN2, cellpose:TN3, cellpose:LC1, cellpose:LC2, cellpose:LC3, cellpose:LC4,
        cellpose:neurips_grayscale_cyto2, cellpose:neurips_cellpose_default, cellpose:cpsam, stardist:unet,
        stardist:2D_versatile_fluo, stardist:2D_paper_dsb2018, sam2:sam2.1-hiera-tiny, sam2:sam2.1-hiera-small,
        sam2:sam2.1-hiera-base-plus, sam2:sam2.1-hiera-large, sam2:sam2-hiera-tiny, sam2:sam2-hiera-small,
        sam2:sam2-hiera-base-plus, sam2:sam2-hiera-large, huggingface:nvidia/mit-b0, huggingface:nvidia/segformer-b0-finetuned-ade-512-512,
        huggingface:facebook/mask2former-swin-tiny-coco-instance, huggingface:facebook/sam-vit-base, huggingface:facebook/sam-vit-large,
        huggingface:facebook/sam-vit-huge, huggingface:facebook/sam2.1-hiera-tiny, torchvision:deeplabv3_resnet50,
        torchvision:deeplabv3_resnet101, torchvision:deeplabv3_mobilenet_v3_large, torchvision:fcn_resnet50,
        torchvision:fcn_resnet101, torchvision:lraspp_mobilenet_v3_large, torchvision:convnext_tiny, torchvision:densenet121,
        torchvision:efficientnet_b0, torchvision:efficientnet_v2_s, torchvision:googlenet, torchvision:mnasnet1_0,
        torchvision:mobilenet_v2, torchvision:mobilenet_v3_large, torchvision:regnet_y_400mf, torchvision:resnet50,
        torchvision:resnext50_32x4d, torchvision:shufflenet_v2_x1_0, torchvision:vgg11, torchvision:wide_resnet50_2.'
      default: wipp:unet
      inputBinding:
        prefix: --model
    modelDir:
      type: Directory?
      label: Model to continue from
      doc: A model that this plugin trained before. It replaces the published model and the target.
      inputBinding:
        prefix: --modelDir
    target:
      type:
      - 'null'
      - type: enum
        symbols:
        - auto
        - foreground
        - boundary
        - foreground_boundary
        - flows
        - rays
        - queries
      label: What the model predicts
      doc: 'auto: what the model was made for. foreground_boundary, flows and rays separate touching objects;
        boundary is for cell borders.'
      default: auto
      inputBinding:
        prefix: --target
    adapt:
      type:
      - 'null'
      - type: enum
        symbols:
        - full
        - head
        - lora
      label: What is trained
      doc: 'full: all weights. head: all except the encoder, for few images. lora: low-rank adapters,
        for large models.'
      default: full
      inputBinding:
        prefix: --adapt
    rank:
      type: int?
      label: LoRA rank
      doc: Rank of the adapters; a larger rank trains more parameters.
      default: 8
      inputBinding:
        prefix: --rank
    epochs:
      type: int?
      label: Epochs
      doc: Number of passes over the training images.
      default: 50
      inputBinding:
        prefix: --epochs
    learningRate:
      type: double?
      label: Learning rate
      doc: Step size of the optimizer. Leave it empty for the default of the model.
      inputBinding:
        prefix: --learningRate
    seed:
      type: int?
      label: Random seed
      doc: The same seed gives the same result on the same machine.
      default: 0
      inputBinding:
        prefix: --seed
  arguments:
  - prefix: --outputDir
    valueFrom: train-outputDir
  - prefix: --tensorboardDir
    valueFrom: train-tensorboardDir
  - prefix: --scores
    valueFrom: train-scores
  outputs:
    outputDir:
      type: Directory
      doc: The fine-tuned model with its model cards, its record and packages for other programs.
      outputBinding:
        glob: train-outputDir
    tensorboardDir:
      type: Directory
      doc: Accuracy and loss during training, for TensorBoard and for WIPP's model card.
      outputBinding:
        glob: train-tensorboardDir
    scores:
      type: Directory
      doc: 'scores.csv: one row per test image, before and after training.'
      outputBinding:
        glob: train-scores
- id: inference-stardist-unet
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
      dockerPull: wipp/wipp-fine-tune-plugin:1.2.3
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
    valueFrom: segment-outputDir
  outputs:
    outputDir:
      type: Directory
      doc: 0 is background, each object has a number of its own.
      outputBinding:
        glob: segment-outputDir
- id: dice-segmentationaccuracy
  class: CommandLineTool
  label: Dice and other accuracies of a segmentation
  doc: 'Compares label images with reference label images: Dice, AP, PQ and boundary distance of each
    image.'
  baseCommand:
  - finetune
  - plugin
  - run
  - dice-segmentationaccuracy
  hints:
    DockerRequirement:
      dockerPull: wipp/wipp-dice-segmentationaccuracy-plugin:1.2.3
    ResourceRequirement:
      ramMin: 2048
      coresMin: 2
  inputs:
    predictionDir:
      type: Directory
      label: Segmented images
      doc: Label images that a model predicted.
      inputBinding:
        prefix: --predictionDir
    referenceDir:
      type: Directory
      label: Reference
      doc: Reference label images (ground truth) with the same names.
      inputBinding:
        prefix: --referenceDir
    filePattern:
      type: string?
      label: File name pattern
      doc: 'Only files whose whole name matches are used: a regular expression, in which {r:ddd} stands
        for three digits. .* uses all files.'
      default: .*
      inputBinding:
        prefix: --filePattern
    labels:
      type:
      - 'null'
      - type: enum
        symbols:
        - instances
        - foreground
        - boundary
      label: Content of the label images
      doc: 'Content of the label images: instances (one integer each), foreground or boundary (not 0).'
      default: instances
      inputBinding:
        prefix: --labels
    pixelSize:
      type: double?
      label: Pixel size in µm
      doc: Edge length of a pixel in µm; boundary distances are then in µm.
      inputBinding:
        prefix: --pixelSize
  arguments:
  - prefix: --scores
    valueFrom: score-scores
  outputs:
    scores:
      type: Directory
      doc: 'scores.csv: one row per image, one column per metric.'
      outputBinding:
        glob: score-scores
- class: Workflow
  id: main
  inputs:
    imageDir:
      type: Directory
      label: Training images
      doc: The images to learn from.
    maskDir:
      type: Directory
      label: Training masks
      doc: 'Label images with the same names: 0 is background, each object has its own label.'
    testImageDir:
      type: Directory
      label: Test images
      doc: Images to measure the accuracy on. Without them, a tenth of the training images is set 
        aside.
    testMaskDir:
      type: Directory
      label: Test masks
      doc: Label images of the test images.
    filePattern:
      type: string?
      label: File name pattern
      doc: 'Only files whose whole name matches are used: a regular expression, in which {r:ddd} stands
        for three digits. .* uses all files.'
    labels:
      type:
      - 'null'
      - type: enum
        symbols:
        - instances
        - foreground
        - boundary
      label: Content of the masks
      doc: 'instances: each object has its own label. foreground or boundary: all pixels that are not
        0.'
    model:
      type: string?
      label: Model to start from
      doc: 'A published model. wipp:unet is trained from scratch and needs no download. One of: wipp:unet,
        bioimageio:affable-shark, cellpose:cyto3, cellpose:cyto2, cellpose:cyto, cellpose:nuclei, cellpose:cyto2_cp3,
        cellpose:tissuenet_cp3, cellpose:livecell_cp3, cellpose:yeast_PhC_cp3, cellpose:yeast_BF_cp3,
        cellpose:bact_phase_cp3, cellpose:bact_fluor_cp3, cellpose:deepbacs_cp3, cellpose:CP, cellpose:CPx,
        cellpose:TN1, cellpose:TN2, cellpose:TN3, cellpose:LC1, cellpose:LC2, cellpose:LC3, cellpose:LC4,
        cellpose:neurips_grayscale_cyto2, cellpose:neurips_cellpose_default, cellpose:cpsam, stardist:unet,
        stardist:2D_versatile_fluo, stardist:2D_paper_dsb2018, sam2:sam2.1-hiera-tiny, sam2:sam2.1-hiera-small,
        sam2:sam2.1-hiera-base-plus, sam2:sam2.1-hiera-large, sam2:sam2-hiera-tiny, sam2:sam2-hiera-small,
        sam2:sam2-hiera-base-plus, sam2:sam2-hiera-large, huggingface:nvidia/mit-b0, huggingface:nvidia/segformer-b0-finetuned-ade-512-512,
        huggingface:facebook/mask2former-swin-tiny-coco-instance, huggingface:facebook/sam-vit-base, huggingface:facebook/sam-vit-large,
        huggingface:facebook/sam-vit-huge, huggingface:facebook/sam2.1-hiera-tiny, torchvision:deeplabv3_resnet50,
        torchvision:deeplabv3_resnet101, torchvision:deeplabv3_mobilenet_v3_large, torchvision:fcn_resnet50,
        torchvision:fcn_resnet101, torchvision:lraspp_mobilenet_v3_large, torchvision:convnext_tiny, torchvision:densenet121,
        torchvision:efficientnet_b0, torchvision:efficientnet_v2_s, torchvision:googlenet, torchvision:mnasnet1_0,
        torchvision:mobilenet_v2, torchvision:mobilenet_v3_large, torchvision:regnet_y_400mf, torchvision:resnet50,
        torchvision:resnext50_32x4d, torchvision:shufflenet_v2_x1_0, torchvision:vgg11, torchvision:wide_resnet50_2.'
    modelDir:
      type: Directory?
      label: Model to continue from
      doc: A model that this plugin trained before. It replaces the published model and the target.
    target:
      type:
      - 'null'
      - type: enum
        symbols:
        - auto
        - foreground
        - boundary
        - foreground_boundary
        - flows
        - rays
        - queries
      label: What the model predicts
      doc: 'auto: what the model was made for. foreground_boundary, flows and rays separate touching objects;
        boundary is for cell borders.'
    adapt:
      type:
      - 'null'
      - type: enum
        symbols:
        - full
        - head
        - lora
      label: What is trained
      doc: 'full: all weights. head: all except the encoder, for few images. lora: low-rank adapters,
        for large models.'
    rank:
      type: int?
      label: LoRA rank
      doc: Rank of the adapters; a larger rank trains more parameters.
    epochs:
      type: int?
      label: Epochs
      doc: Number of passes over the training images.
    learningRate:
      type: double?
      label: Learning rate
      doc: Step size of the optimizer. Leave it empty for the default of the model.
    seed:
      type: int?
      label: Random seed
      doc: The same seed gives the same result on the same machine.
  steps:
    train:
      run: '#fine-tune'
      in:
        imageDir: imageDir
        maskDir: maskDir
        testImageDir: testImageDir
        testMaskDir: testMaskDir
        filePattern: filePattern
        labels: labels
        model: model
        modelDir: modelDir
        target: target
        adapt: adapt
        rank: rank
        epochs: epochs
        learningRate: learningRate
        seed: seed
      out:
      - outputDir
      - tensorboardDir
      - scores
    segment:
      run: '#inference-stardist-unet'
      in:
        imageDir: testImageDir
        modelDir: train/outputDir
      out:
      - outputDir
    score:
      run: '#dice-segmentationaccuracy'
      in:
        referenceDir: testMaskDir
        predictionDir: segment/outputDir
        labels: labels
      out:
      - scores
  outputs:
    outputDir:
      type: Directory
      outputSource: train/outputDir
    tensorboardDir:
      type: Directory
      outputSource: train/tensorboardDir
    trainingScores:
      type: Directory
      outputSource: train/scores
    labelImages:
      type: Directory
      outputSource: segment/outputDir
    scores:
      type: Directory
      outputSource: score/scores
