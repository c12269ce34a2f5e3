"""Node embeddings by a graph neural network, text embeddings, and a score taken apart. Importing it loads no torch."""

import warnings

# torch and PyG announce their own plans on standard error at the first use; a user of clew can do nothing about either.
warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state", category=UserWarning)
warnings.filterwarnings("ignore", message=".*torch.jit.script.* is deprecated", category=FutureWarning)
